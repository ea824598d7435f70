"""API keys: shown once, kept as digests, taken back."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vidence_server.access.api_keys import new_key, parse, random_bytes, read_keys, revoked, write_keys
from vidence_server.core.errors import DomainError, Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.requirement("R-OP5")


def made(**options: Any) -> Any:
    given = {"tenant": "acme", "scopes": ["events.read"], "now": NOW, **options}
    return new_key(bytes(range(random_bytes())), **given)


def test_the_file_has_no_secret_and_gives_the_same_keys_back(tmp_path: Path) -> None:
    key, text = made(expire_time=NOW + timedelta(days=1), note="till 7")
    path = tmp_path / "deep" / "keys.json"
    write_keys(path, [key])
    assert read_keys(path) == (key,)
    parts = parse(text)
    assert parts is not None
    assert parts[0] == key.key_id
    assert key.matches(parts[1])
    assert parts[1] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["keys.json"]


def test_a_key_ends_when_it_expires_or_is_revoked() -> None:
    key, _ = made(expire_time=NOW + timedelta(hours=1))
    assert not key.ended(NOW)
    assert key.ended(NOW + timedelta(hours=1))
    (taken,) = revoked([key], key.key_id, NOW)
    assert taken.ended(NOW)
    assert revoked([taken], key.key_id, NOW + timedelta(days=1)) == [taken]
    with pytest.raises(DomainError, match="No key has the id"):
        revoked([key], "0" * 12, NOW)


@pytest.mark.parametrize(
    "text", ["", "vk_", "vk_0123456789ab", "vk_0123456789ab." + "0" * 63, "vk_0123456789AB." + "0" * 64]
)
def test_what_has_not_the_form_of_a_key_is_none(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "wrong",
    [{"scopes": []}, {"scopes": ["Events"]}, {"scopes": ["a.*.b"]}, {"tenant": ""}, {"tenant": "a b"}],
)
def test_a_key_without_scopes_or_tenant_is_not_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as refused:
        made(**wrong)
    assert refused.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "short"},
        {"id": "x"},
        {"scopes": ["no scope"]},
        {"create_time": "2026-01-01T00:00:00"},
        {"create_time": None},
        {"unknown": 1},
        {"tenant": 7},
    ],
)
def test_a_file_with_a_wrong_entry_is_refused_whole(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, [made()[0]])
    entries = json.loads(path.read_text())
    entries["keys"][0] |= change
    path.write_text(json.dumps(entries))
    with pytest.raises(DomainError) as refused:
        read_keys(path)
    assert refused.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"])
def test_what_is_no_file_of_keys_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(DomainError, match="no file of keys"):
        read_keys(path)
    with pytest.raises(DomainError, match="No such file"):
        read_keys(tmp_path / "none.json")


def test_two_keys_with_one_id_are_refused(tmp_path: Path) -> None:
    key, _ = made()
    write_keys(tmp_path / "keys.json", [key, key])
    with pytest.raises(DomainError, match="two keys with one id"):
        read_keys(tmp_path / "keys.json")


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DomainError) as refused:
        write_keys(tmp_path / "file" / "keys.json", [])
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
