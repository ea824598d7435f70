"""The Dockerfile, step by step as far as that goes without an engine."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from helm.chart_rendering import ROOT
from helm.deployed import check_names
from vidence_cli.main import CommandGroup, installed_commands
from vidence_server.suite_settings import load_suite_settings

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_INSTRUCTION = re.compile(r"^([A-Z]+)\s+(.*)$", re.DOTALL)


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    found = [_INSTRUCTION.match(line) for line in lines if line.strip()]
    assert all(found)
    return [(match[1], match[2].strip()) for match in found if match is not None]


def _stages() -> dict[str, list[tuple[str, str]]]:
    stages: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in _instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            assert name, f"a stage without a name: {rest}"
            stages[name] = [("FROM", base)]
        elif name:
            stages[name].append((word, rest))
    return stages


def _lineage(stage: str) -> list[tuple[str, str]]:
    """All instructions that make a stage, those of its bases first."""
    stages = _stages()
    base = stages[stage][0][1]
    return [*(_lineage(base) if base in stages else ()), *stages[stage][1:]]


def _carried() -> set[str]:
    """Names at the root of the context that are sent to the builder."""
    text = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in text
    return {line[1:] for line in text if line.startswith("!")}


@pytest.mark.requirement("R-OP2")
def test_image_has_a_cpu_and_a_gpu_variant_and_cpu_is_the_default() -> None:
    stages = _stages()
    assert {"cpu", "gpu"} <= stages.keys()
    assert list(stages)[-1] == "cpu"
    for variant in ("cpu", "gpu"):
        assert f"--from=build-{variant} /opt/venv /opt/venv" in dict(stages[variant])["COPY"]
        assert any(f"requirements/server-{variant}.txt" in rest for _, rest in stages[f"build-{variant}"])


@pytest.mark.requirement("R-OP2")
def test_every_stage_and_file_that_is_copied_is_there() -> None:
    stages = _stages()
    carried = _carried()
    for steps in stages.values():
        for word, rest in steps:
            parts = shlex.split(rest)
            if word == "FROM":
                assert rest in stages or rest.startswith("python:${PYTHON}-slim")
            elif word == "COPY" and parts[0].startswith("--from="):
                assert parts[0].removeprefix("--from=") in stages
            elif word == "COPY":
                for source in parts[:-1]:
                    assert (ROOT / source).exists(), source
                    assert any(source == name or source.startswith(f"{name}/") for name in carried), source


@pytest.mark.requirement("R-OP2")
def test_every_command_of_the_image_is_a_command_of_vidence() -> None:
    group = CommandGroup(find_commands=installed_commands)
    runs = [rest for _, rest in _instructions() if "vidence models" in rest]
    commands = [
        part.split() for run in runs for part in run.split("&&") if part.strip().startswith("vidence ")
    ]
    assert [command[1:3] for command in commands] == [["models", "pull"], ["models", "verify"]]
    for command in commands:
        models = group.get_command(click.Context(group), command[1])
        assert isinstance(models, click.Group)
        # Raises where an option is unknown.
        assert models.commands[command[2]].make_context(command[2], command[3:]) is not None
    serve = group.get_command(click.Context(group), "serve")
    assert serve is not None
    assert dict(_instructions())["ENTRYPOINT"] == '["vidence"]'
    assert dict(_lineage("cpu"))["CMD"] == '["serve", "all"]'
    assert serve.make_context("serve", ["all"]).params["service"] == "all"


@pytest.mark.requirement("R-OP2")
@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_image_runs_as_nobody_special_with_settings_that_exist(variant: str) -> None:
    steps = _lineage(variant)
    assert [rest for word, rest in steps if word == "USER"] == ["10001:10001"]
    pairs = [part.split("=", 1) for word, rest in steps if word == "ENV" for part in shlex.split(rest)]
    environment = {name: value for name, value in pairs if name.startswith("VIDENCE_")}
    check_names(environment)
    settings = load_suite_settings(None, environment)
    copied = [rest.split()[-1] for word, rest in steps if word == "COPY"]
    assert str(settings.inference.models_dir) in copied
    assert str(settings.bridge.pages_dir) in copied
    owned = next(rest for word, rest in steps if word == "RUN" and "--owner 10001" in rest)
    assert str(settings.storage.folder) in owned
    assert "openssl" in owned


@pytest.mark.requirement("R-OP2")
def test_wheel_of_what_the_context_carries_has_all_that_the_server_reads(tmp_path: Path) -> None:
    context, wheels, installed = tmp_path / "context", tmp_path / "wheels", tmp_path / "installed"
    wanted = [part for word, rest in _stages()["wheel"] if word == "COPY" for part in shlex.split(rest)[:-1]]
    for source in wanted:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            context.mkdir(exist_ok=True)
            shutil.copy(ROOT / source, context / source)
    _run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)], context
    )
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    sources = ROOT / "services" / "vidence_server"
    data = {
        path.relative_to(sources)
        for path in sources.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert data
    assert {path for path in data if not (installed / "vidence_server" / path).is_file()} == set()
    script = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); import vidence_server; "
        f"assert vidence_server.__file__.startswith({str(installed)!r}); "
        "from vidence_server.__main__ import main; main()"
    )
    command = [sys.executable, "-c", script, "envoy", "config", "--folder", str(tmp_path / "envoy")]
    _run(command, tmp_path)
    assert (tmp_path / "envoy" / "envoy.json").is_file()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
