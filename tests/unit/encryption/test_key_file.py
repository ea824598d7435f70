"""Keys in a file: read again, rotated, and refused where others may read them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fakes.key_service import key_file, random_key
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.key_file import FileKey, KeyFile, key_id_of, read_ring, write_ring
from vidence_server.encryption.ports import WrappedKey

pytestmark = pytest.mark.requirement("R-OP5")
DATA_KEY = bytes(range(32))


def reason_of(path: Path) -> str:
    with pytest.raises(DomainError) as caught:
        read_ring(path)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
    return caught.value.message


def test_the_newest_key_wraps_and_the_older_ones_still_unwrap(tmp_path: Path) -> None:
    old, new = random_key(), random_key()
    keys = KeyFile(key_file(tmp_path / "keys.json", old))
    before = keys.wrap(DATA_KEY)
    key_file(tmp_path / "keys.json", old, new)
    after = keys.wrap(DATA_KEY)
    assert (before.key_id, after.key_id) == (old.key_id, new.key_id)
    assert keys.unwrap(before) == keys.unwrap(after) == DATA_KEY
    key_file(tmp_path / "keys.json", new)
    with pytest.raises(DomainError) as caught:
        keys.unwrap(before)
    assert (caught.value.reason, caught.value.metadata) == (Reason.KEY_UNKNOWN, {"key_id": old.key_id})


def test_a_key_that_stands_by_unwraps_only(tmp_path: Path) -> None:
    used, standing_by = random_key(), random_key()
    write_ring(tmp_path / "keys.json", [used, standing_by], used.key_id)
    assert KeyFile(tmp_path / "keys.json").wrap(DATA_KEY).key_id == used.key_id


def test_a_wrapped_key_that_was_changed_is_refused(tmp_path: Path) -> None:
    keys = KeyFile(key_file(tmp_path / "keys.json"))
    wrapped = keys.wrap(DATA_KEY)
    for bad in (wrapped.wrapped[:-1] + b"\0", b"", wrapped.wrapped[:8]):
        with pytest.raises(DomainError) as caught:
            keys.unwrap(WrappedKey(wrapped.key_id, bad))
        assert caught.value.reason is Reason.CIPHERTEXT_INVALID


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "keys.json")
    path.chmod(mode)
    assert "others may read" in reason_of(path)


def test_a_file_that_others_may_read_later_changes_nothing(tmp_path: Path) -> None:
    old = random_key()
    path = key_file(tmp_path / "keys.json", old)
    keys = KeyFile(path)
    key_file(path, random_key())
    path.chmod(0o644)
    assert keys.wrap(DATA_KEY).key_id == old.key_id


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"keys": []}',
        '{"keys": [{"id": "kf_1"}]}',
        '{"keys": [{"id": "kf_1", "key": "!", "create_time": "2026-11-21T00:00:00Z"}]}',
    ],
)
def test_a_file_that_is_none_of_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    path.chmod(0o600)
    assert "no file of keys" in reason_of(path)


def test_a_damaged_key_is_found_by_its_id_and_not_told(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys.json")
    told = json.loads(path.read_text())
    other = random_key()
    told["keys"][0]["id"] = other.key_id
    path.write_text(json.dumps(told))
    assert told["keys"][0]["key"] not in reason_of(path)


def test_one_key_twice_or_an_active_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    key = random_key()
    for keys, active in (([key, key], key.key_id), ([key], random_key().key_id)):
        write_ring(tmp_path / "keys.json", keys, active)
        reason_of(tmp_path / "keys.json")
    reason_of(tmp_path / "missing.json")


def test_keys_are_for_their_owner_and_no_repr_shows_one(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys.json")
    assert path.stat().st_mode & 0o777 == 0o600
    key = read_ring(path).active
    assert isinstance(key, FileKey)
    assert key.key_id == key_id_of(key.key)
    assert repr(key.key) not in repr(read_ring(path))
    assert repr(b"wrapped") not in repr(WrappedKey("a", b"wrapped"))


def test_the_root_of_a_mounted_secret_may_let_its_group_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(tmp_path / "keys.json")
    path.chmod(0o440)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert read_ring(path).keys
    path.chmod(0o444)
    reason_of(path)
