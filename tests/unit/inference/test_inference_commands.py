"""`vidence models …` as a user sees it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.inference import FakeDownloader
from vidence_server.inference import commands
from vidence_server.inference.registry import load_registry

pytestmark = pytest.mark.requirement("R-OP7")

LICENCES = {spec.name: spec.licence.spdx for spec in load_registry()}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ClientDownloader", FakeDownloader)


def models(*arguments: str) -> Result:
    return CliRunner().invoke(commands.models, arguments)


def override(tmp_path: Path, content: bytes = b"weights") -> str:
    path = tmp_path / "mine.onnx"
    path.write_bytes(content)
    return f"ocr-detector={path}#sha256={hashlib.sha256(b'weights').hexdigest()}"


def test_list_shows_every_model_and_its_state(tmp_path: Path) -> None:
    result = models("list", "--cache-dir", str(tmp_path))
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.output.splitlines()] == [
        [name, "missing"] for name in LICENCES
    ]


def test_list_as_json_is_one_object_a_line(tmp_path: Path) -> None:
    result = models("list", "--json", "--cache-dir", str(tmp_path))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["name"], row["state"], row["licence"]) for row in rows] == [
        (name, "missing", licence) for name, licence in LICENCES.items()
    ]


def test_licences_name_who_says_so() -> None:
    result = models("licences")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.output.splitlines()] == list(map(list, LICENCES.items()))
    assert "PaddleOCR" in result.output


def test_pull_offline_fails_with_1_and_says_why(tmp_path: Path) -> None:
    result = models("pull", "ocr-detector", "ocr-detector", "--cache-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.split() == ["ocr-detector", "failed"]
    assert "no network" in result.stderr


def test_pull_twice_finds_the_model_present_and_verify_agrees(tmp_path: Path) -> None:
    arguments = ("ocr-detector", "--override", override(tmp_path), "--cache-dir", str(tmp_path / "store"))
    assert [models("pull", *arguments).stdout.split()[1] for _ in range(2)] == ["pulled", "present"]
    verified = models("verify", *arguments)
    assert (verified.exit_code, verified.stdout.split()) == (0, ["ocr-detector", "right"])


def test_verify_fails_with_1_and_tells_missing_from_corrupt(tmp_path: Path) -> None:
    corrupt = override(tmp_path, b"something else")
    result = models("verify", "--override", corrupt, "--cache-dir", str(tmp_path / "store"))
    assert result.exit_code == 1
    words = [line.split()[1] for line in result.stdout.splitlines()]
    assert words == ["corrupt", *["missing"] * (len(LICENCES) - 1)]
    assert "vidence models pull ocr-direction" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("pull", "nope"),
        ("verify", "nope"),
        ("pull", "--override", "ocr-detector=/m.onnx"),
        ("pull", "--override", f"nope=/m.onnx#sha256={'0' * 64}"),
        ("push",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert models(*arguments).exit_code == 2
