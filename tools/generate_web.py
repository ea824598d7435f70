"""Generates `gen/ts` from `protos/`: messages and service descriptors for the web client. Run by `make gen`.

The descriptors that `generate.py` left are its input. Options that only the server reads (validation rules,
HTTP paths) are taken out first: a page would carry them without a use, and they are larger than the messages.
`--check` generates elsewhere and fails if the committed output differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from generate import OUTPUT as PYTHON_OUTPUT
from generate import ROOT, bring_up_to_date, differences
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

DESCRIPTORS = PYTHON_OUTPUT / "vidence" / "descriptors.binpb"
OUTPUT = ROOT / "gen" / "ts"
PLUGIN = ROOT / "clients" / "web" / "node_modules" / ".bin" / "protoc-gen-es"
_SERVER_ONLY = ("buf/validate/", "google/api/annotations.proto", "google/api/http.proto")


def without_server_options(file: FileDescriptorProto) -> FileDescriptorProto:
    """A file without options of the server, and without the imports that only they need."""
    kept = [path for path in file.dependency if not path.startswith(_SERVER_ONLY)]
    del file.dependency[:]
    file.dependency.extend(kept)
    del file.public_dependency[:]
    del file.weak_dependency[:]
    _clear_options(file)
    return file


def _clear_options(message: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.name == "options":
            is_map = bool(getattr(value, "map_entry", False))
            message.ClearField("options")
            if is_map:
                message.options.map_entry = True
        elif field.is_repeated:
            for element in value:
                _clear_options(element)


def generate(output: Path) -> None:
    """Writes TypeScript below `output`."""
    found = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    files = [without_server_options(file) for file in found.file if not file.name.startswith(_SERVER_ONLY)]
    request = CodeGeneratorRequest(
        file_to_generate=[file.name for file in files if not file.name.startswith("google/protobuf/")],
        parameter="target=ts,import_extension=none",
        proto_file=files,
    )
    answer = subprocess.run([PLUGIN], input=request.SerializeToString(), check=True, capture_output=True)
    response = CodeGeneratorResponse.FromString(answer.stdout)
    if response.error:
        raise SystemExit(response.error)
    for made in response.file:
        path = output / made.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.content)


def main() -> int:
    """Generates, or with `--check` compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when gen/ts is stale")
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
        print("gen/ts is not what the protos give: run `make gen` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
