"""The API keys that a server knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vidence_server.access import refusals
from vidence_server.access.api_keys import ApiKey, parse, read_keys
from vidence_server.access.principal import Principal
from vidence_server.access.watched_file import WatchedFile
from vidence_server.core.clock import Clock


class KeyBook:
    """A file of keys, looked at again and again: new keys work, revoked ones do not, within seconds."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Reads the file; raises `DomainError`, CONFIGURATION_INVALID."""
        self._file: WatchedFile[Mapping[str, ApiKey]] = WatchedFile(
            path, lambda found: {key.key_id: key for key in read_keys(found)}
        )
        self._clock = clock

    def principal(self, text: str) -> Principal:
        """Who a key belongs to; raises `DomainError`, CREDENTIAL_INVALID or CREDENTIAL_EXPIRED."""
        parts = parse(text)
        key = self._file.value.get(parts[0]) if parts else None
        if parts is None or key is None or not key.matches(parts[1]):
            raise refusals.invalid()
        if key.ended(self._clock.now()):
            raise refusals.expired()
        return Principal(f"key_{key.key_id}", key.tenant, key.scopes, key.expire_time, key.key_id)

    def stands(self, principal: Principal) -> bool:
        """Whether the key still allows what it allowed when it was shown."""
        key = self._file.value.get(principal.key_id)
        same = key is not None and (key.tenant, key.scopes) == (principal.tenant, principal.scopes)
        return same and key is not None and not key.ended(self._clock.now())

    def look(self) -> None:
        """Reads the file again where it has changed; blocks a moment."""
        self._file.look()
