"""API keys: made once, shown once, kept as digests in a file.

A key is `vk_<id>.<secret>`. The secret has 256 random bits, so a plain SHA-256 of it cannot be guessed back
and needs no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidence_server.access.principal import ALL_TENANTS, is_tenant, wrong_grants
from vidence_server.core.errors import DomainError, Reason

PREFIX = "vk_"
_SECRET_BYTES = 32
_ID_BYTES = 6
_KEY = re.compile(r"vk_([0-9a-f]{12})\.([0-9a-f]{64})")
_MEMBERS = {"id", "sha256", "tenant", "scopes", "note", "create_time", "expire_time", "revoke_time"}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the file has it.

    Attributes:
        key_id: Names it, 12 hex digits; no secret.
        sha256: Of its secret, hex.
        tenant: Whose data it opens; `*`: anybody's.
        scopes: What it grants.
        create_time: When it was made.
        expire_time: When it ends by itself; None: never.
        revoke_time: Since when it is taken back; None: it is not.
        note: What it is for, in the operator's words.
    """

    key_id: str
    sha256: str
    tenant: str
    scopes: tuple[str, ...]
    create_time: datetime
    expire_time: datetime | None = None
    revoke_time: datetime | None = None
    note: str = ""

    def ended(self, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        return self.revoke_time is not None or (self.expire_time is not None and self.expire_time <= now)

    def matches(self, secret: str) -> bool:
        """Whether a secret is its own; takes the same time for all."""
        return hmac.compare_digest(_digest(secret), self.sha256)


def parse(text: str) -> tuple[str, str] | None:
    """Id and secret of what a caller presents; None where it is no key."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def new_key(
    random: bytes,
    *,
    tenant: str,
    scopes: Sequence[str],
    now: datetime,
    expire_time: datetime | None = None,
    note: str = "",
) -> tuple[ApiKey, str]:
    """A key, and its text, which nobody is shown again.

    Args:
        random: `random_bytes()` bytes of a source that nobody can guess.
        tenant: Whose data it opens; `*`: anybody's.
        scopes: What it grants.
        now: The time.
        expire_time: When it ends; None: never.
        note: What it is for.

    Raises:
        DomainError: CONFIGURATION_INVALID: no tenant, or no scopes.
    """
    key_id, secret = random[:_ID_BYTES].hex(), random[_ID_BYTES:].hex()
    key = ApiKey(key_id, _digest(secret), tenant, tuple(scopes), now, expire_time, None, note)
    _check(key)
    return key, f"{PREFIX}{key_id}.{secret}"


def random_bytes() -> int:
    """How many random bytes a key takes."""
    return _ID_BYTES + _SECRET_BYTES


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file.

    Raises:
        DomainError: CONFIGURATION_INVALID: it cannot be read, or is no file of keys.
    """
    try:
        entries = json.loads(path.read_bytes())["keys"]
        keys = tuple(_of_json(entry) for entry in entries)
    except OSError as error:
        raise _wrong(path, error.strerror or "cannot be read") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _wrong(path, "no file of keys") from error
    if len({key.key_id for key in keys}) < len(keys):
        raise _wrong(path, "two keys with one id")
    return keys


def write_keys(path: Path, keys: Sequence[ApiKey]) -> None:
    """Writes a file of keys, at once and for its owner only.

    Raises:
        DomainError: CONFIGURATION_INVALID: it cannot be written.
    """
    text = json.dumps({"keys": [_to_json(key) for key in keys]}, indent=2) + "\n"
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


def revoked(keys: Sequence[ApiKey], key_id: str, now: datetime) -> list[ApiKey]:
    """The keys with one of them taken back.

    Raises:
        DomainError: CONFIGURATION_INVALID: there is no such key.
    """
    if all(key.key_id != key_id for key in keys):
        raise DomainError(Reason.CONFIGURATION_INVALID, f"No key has the id {key_id}.")
    return [replace(key, revoke_time=key.revoke_time or now) if key.key_id == key_id else key for key in keys]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(key: ApiKey) -> None:
    wrong = wrong_grants(key.scopes)
    if wrong or not key.scopes:
        raise DomainError(Reason.CONFIGURATION_INVALID, f"These are no scopes: {', '.join(wrong) or 'none'}.")
    if key.tenant != ALL_TENANTS and not is_tenant(key.tenant):
        raise DomainError(Reason.CONFIGURATION_INVALID, f"{key.tenant!r} is no name of a tenant.")


def _to_json(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.key_id,
        "sha256": key.sha256,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "note": key.note,
        "create_time": _to_text(key.create_time),
        "expire_time": _to_text(key.expire_time),
        "revoke_time": _to_text(key.revoke_time),
    }


def _of_json(entry: dict[str, Any]) -> ApiKey:
    create_time = _of_text(entry["create_time"])
    if create_time is None or not entry.keys() <= _MEMBERS:
        raise ValueError("not an entry of a key")
    if not re.fullmatch("[0-9a-f]{12}", entry["id"]) or not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
        raise ValueError("neither id nor digest")
    key = ApiKey(
        key_id=entry["id"],
        sha256=entry["sha256"],
        tenant=entry["tenant"],
        scopes=tuple(entry["scopes"]),
        create_time=create_time,
        expire_time=_of_text(entry.get("expire_time")),
        revoke_time=_of_text(entry.get("revoke_time")),
        note=entry.get("note", ""),
    )
    _check(key)
    return key


def _to_text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _of_text(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


def _wrong(path: Path, why: str) -> DomainError:
    return DomainError(Reason.CONFIGURATION_INVALID, f"{path}: {why}.")
