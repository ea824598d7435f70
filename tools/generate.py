"""Generates `gen/python` from `protos/`: messages, gRPC stubs and their types. Run by `make gen`.

The compiler is the one inside grpcio-tools and the plugins come from the virtual environment, so generation
is local and pinned by the lock. `--check` generates elsewhere and fails if the committed output differs.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "gen" / "python"
INCLUDES = (ROOT / "protos", ROOT / "third_party" / "googleapis", ROOT / "third_party" / "protovalidate")


def proto_files() -> list[str]:
    """Our own protos and the vendored ones whose package ships no stubs, relative to their include."""
    ours = sorted(path.relative_to(ROOT / "protos") for path in (ROOT / "protos").rglob("*.proto"))
    return [str(path) for path in ours] + ["buf/validate/validate.proto"]


def generate(output: Path) -> None:
    """Writes the generated packages below `output`."""
    output.mkdir(parents=True, exist_ok=True)
    scripts = Path(sysconfig.get_path("scripts"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    command = [sys.executable, "-m", "grpc_tools.protoc"]
    command += [f"-I{include}" for include in (*INCLUDES, well_known)]
    plugins = {name: scripts / f"protoc-gen-{name}" for name in ("mypy", "mypy_grpc")}
    command += [f"--plugin=protoc-gen-{name}={path}" for name, path in plugins.items()]
    command += [f"--{kind}_out={output}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    run_compiler(command + proto_files())
    write_descriptors(output / "vidence" / "descriptors.binpb")
    for package in (output / "vidence", output / "buf"):
        for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
            (folder / "__init__.py").touch()
        (package / "py.typed").touch()


def write_descriptors(path: Path) -> None:
    """The contract as one FileDescriptorSet with its comments: what the bridge and Envoy transcode by."""
    command = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", "--include_source_info"]
    command += [f"-I{include}" for include in (*INCLUDES, Path(grpc_tools.__file__).parent / "_proto")]
    # Details of errors are found by their names only: no proto of ours imports them.
    files = [*proto_files(), "google/rpc/error_details.proto"]
    run_compiler([*command, f"--descriptor_set_out={path}", *files])


def run_compiler(command: list[str]) -> None:
    """Runs protoc, whose plugins tell every file that they write: what it says counts only when it fails.

    Raises:
        SystemExit: It failed; what it said is printed.
    """
    made = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        print(made.stdout, end="", file=sys.stderr)
        raise SystemExit(made.returncode)


def bring_up_to_date(output: Path, generated: Path) -> None:
    """Makes `output` the same as `generated`; files that are right stay, for what runs meanwhile."""
    for path in sorted(output.rglob("*"), reverse=True):
        made = generated / path.relative_to(output)
        if path.is_dir() and not made.is_dir() and path.name != "__pycache__":
            shutil.rmtree(path)
        elif path.is_file() and not made.exists() and "__pycache__" not in path.parts:
            path.unlink()
    for made in generated.rglob("*"):
        path = output / made.relative_to(generated)
        if made.is_dir():
            path.mkdir(parents=True, exist_ok=True)
        elif not path.exists() or not filecmp.cmp(made, path, shallow=False):
            made.replace(path)


def differences(left: Path, right: Path) -> list[str]:
    """Paths that exist on one side only or differ in content."""
    compared = filecmp.dircmp(left, right, ignore=["__pycache__"])
    found = [str(Path(compared.left) / name) for name in (*compared.left_only, *compared.right_only)]
    _, mismatch, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    found += [str(left / name) for name in (*mismatch, *errors)]
    for name in compared.common_dirs:
        found += differences(left / name, right / name)
    return found


def main() -> int:
    """Generates, or with `--check` compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when gen/python is stale")
    if not parser.parse_args().check:
        with tempfile.TemporaryDirectory(dir=OUTPUT.parent) as scratch:
            generate(Path(scratch))
            bring_up_to_date(OUTPUT, Path(scratch))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = differences(Path(scratch), OUTPUT)
    for path in stale:
        print(f"stale: {path}", file=sys.stderr)
    if stale:
        print("gen/python is not what the protos give: run `make gen` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
