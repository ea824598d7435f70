"""Identifiers: UUIDv7 text (RFC 9562) with a prefix that names the kind, sortable by creation time."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

from vidence_server.core.clock import Clock

_RANDOM_BYTES = 10


def uuid7(unix_ms: int, random: bytes) -> uuid.UUID:
    """The UUIDv7 of a time in Unix milliseconds and 10 random bytes (RFC 9562, section 5.7)."""
    value = (unix_ms & (1 << 48) - 1) << 80 | int.from_bytes(random[:_RANDOM_BYTES], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


class IdFactory:
    """Makes ids such as `ext_0199c1f0-…`; clock and randomness are given, so that tests can fix them."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes

    def new(self, prefix: str) -> str:
        """A new id `<prefix>_<uuid7>`."""
        unix_ms = int(self._clock.now().timestamp() * 1000)
        return f"{prefix}_{uuid7(unix_ms, self._random_bytes(_RANDOM_BYTES))}"
