"""Keys in a file: the last one wraps, all of them unwrap.

    {"keys": [{"id": "kf_5f2c…", "key": "<32 random bytes, base64>", "create_time": "2026-11-21T16:00:00Z"}],
     "active": "kf_5f2c…"}

An id is made of the key (`key_id_of`), so that a damaged key is found when the file is read, and two files
cannot mean different keys by one id. `active`, where it is there, names the key that wraps: a new key can be
brought to all servers first, and used afterwards.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from vidence_server.access.watched_file import WatchedFile
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption import refusals
from vidence_server.encryption.ports import DATA_KEY_BYTES, WrappedKey

_ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key of a file."""

    key_id: str
    key: bytes = field(repr=False)
    create_time: datetime


@dataclass(frozen=True, slots=True)
class KeyRing:
    """What a file says."""

    keys: Sequence[FileKey]
    active: FileKey

    @property
    def by_id(self) -> Mapping[str, FileKey]:
        """The keys by their ids."""
        return {key.key_id: key for key in self.keys}


class KeyFile:
    """A `KeyProvider` with a file, read again when it has changed; wraps by AES-KW (RFC 3394).

    AES-KW takes no nonce, so nothing limits how often one key may wrap.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; raises `DomainError`, CONFIGURATION_INVALID."""
        self._file = WatchedFile(path, read_ring)

    @property
    def ring(self) -> KeyRing:
        """The keys as the file has them now."""
        self._file.look()
        return self._file.value

    def wrap(self, data_key: bytes) -> WrappedKey:
        """See `KeyProvider`."""
        active = self.ring.active
        return WrappedKey(active.key_id, aes_key_wrap(active.key, data_key))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """See `KeyProvider`."""
        key = self.ring.by_id.get(wrapped.key_id)
        if key is None:
            raise refusals.unknown(wrapped.key_id)
        try:
            return aes_key_unwrap(key.key, wrapped.wrapped)
        except (InvalidUnwrap, ValueError):
            raise refusals.tampered() from None


def key_id_of(key: bytes) -> str:
    """The id of a key: it tells nothing of its 256 random bits."""
    return f"kf_{hashlib.sha256(b'vidence key id' + key).hexdigest()[:_ID_DIGITS]}"


def new_file_key(random: bytes, now: datetime) -> FileKey:
    """A key of 32 bytes that nobody can guess."""
    if len(random) != DATA_KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return FileKey(key_id_of(random), random, now)


def read_ring(path: Path) -> KeyRing:
    """The keys of a file.

    Raises:
        DomainError: CONFIGURATION_INVALID: it cannot be read, others may read it, or it is no file of keys.
    """
    try:
        with path.open("rb") as file:
            _check_mode(path, os.fstat(file.fileno()))
            content = json.load(file)
        keys = [_of_json(entry) for entry in content["keys"]]
        active = content.get("active") or keys[-1].key_id
    except OSError as error:
        raise _wrong(path, error.strerror or "cannot be read") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        # Without its cause: a message of a parser may quote what it read.
        raise _wrong(path, "no file of keys") from None
    by_id = {key.key_id: key for key in keys}
    if len(by_id) < len(keys) or active not in by_id:
        raise _wrong(path, "a key is there twice, or the active one is not there")
    return KeyRing(tuple(keys), by_id[active])


def write_ring(path: Path, keys: Sequence[FileKey], active: str) -> None:
    """Writes a file of keys, at once and for its owner only.

    Raises:
        DomainError: CONFIGURATION_INVALID: it cannot be written.
    """
    text = json.dumps({"keys": [_to_json(key) for key in keys], "active": active}, indent=2) + "\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise _wrong(path, error.strerror or "cannot be written") from error


def _check_mode(path: Path, found: os.stat_result) -> None:
    """Refuses what others may read. A mounted secret is root's, and its group that of the server's pod."""
    own = found.st_uid == os.geteuid()
    if stat.S_IMODE(found.st_mode) & (0o077 if own else 0o027):
        raise _wrong(path, "others may read or write it; `chmod 600` it")


def _of_json(entry: Mapping[str, str]) -> FileKey:
    try:
        key = base64.b64decode(entry["key"], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    made = new_file_key(key, datetime.fromisoformat(entry["create_time"]))
    if made.key_id != entry["id"]:
        raise ValueError("the id is not that of the key")
    return made


def _to_json(key: FileKey) -> dict[str, str]:
    return {
        "id": key.key_id,
        "key": base64.b64encode(key.key).decode(),
        "create_time": key.create_time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


def _wrong(path: Path, why: str) -> DomainError:
    return DomainError(Reason.CONFIGURATION_INVALID, f"{path}: {why}.")
