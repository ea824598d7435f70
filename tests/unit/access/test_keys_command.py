"""`vidence keys`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vidence_server.access.api_keys import parse, read_keys
from vidence_server.suite.keys import keys

pytestmark = pytest.mark.requirement("R-OP5")


def run(*arguments: str, file: Path) -> Result:
    return CliRunner().invoke(keys, [arguments[0], "--file", str(file), *arguments[1:]])


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = run("create", "--tenant", "acme", "--scope", "events.*", "--expires-in", "4w", file=file)
    assert made.exit_code == 0, made.output
    parts = parse(made.output.strip())
    assert parts is not None
    (key,) = read_keys(file)
    assert key.matches(parts[1])
    assert key.expire_time is not None
    assert (key.expire_time - key.create_time).days == 28
    listed = run("list", file=file).output
    assert f"{parts[0]}\tacme\tevents.*\tvalid" in listed
    assert parts[1] not in listed
    assert run("revoke", parts[0], file=file).exit_code == 0
    assert "revoked" in run("list", file=file).output


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--scope", "No Scope"),
        ("create", "--scope", "a", "--tenant", "A B"),
        ("create", "--scope", "a", "--expires-in", "soon"),
        ("create", "--scope", "a", "--expires-in", "0d"),
        ("revoke", "0" * 12),
        ("list",),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*arguments, file=tmp_path / "keys.json")
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_the_file_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDENCE_ACCESS__KEYS_FILE", str(tmp_path / "keys.json"))
    assert CliRunner().invoke(keys, ["create", "--scope", "*"]).exit_code == 0
    assert len(read_keys(tmp_path / "keys.json")) == 1
    monkeypatch.delenv("VIDENCE_ACCESS__KEYS_FILE")
    assert CliRunner().invoke(keys, ["list"]).exit_code == 2
