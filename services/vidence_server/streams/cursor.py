"""Cursors: names of places in logs, opaque to clients."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from vidence_server.core.errors import DomainError, Reason

_TEXT = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})")
MAX_OFFSET = 2**63 - 1
CURSOR_LENGTH = 34
"""Characters of every cursor."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one log: everything up to and including `offset` is behind it. Offset 0 is before all."""

    log: int
    """Which log: 32 bits, from `log_id`."""
    epoch: int
    """Which life of the log: 32 bits; a new or restored log has a new one."""
    offset: int
    """Position, 0 to 2^63 - 1; the first entry of a log has 1."""

    def __str__(self) -> str:
        return f"{self.log:08x}.{self.epoch:08x}.{self.offset:016x}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a cursor; raises `DomainError`, CURSOR_INVALID."""
        match = _TEXT.fullmatch(text)
        if match is None or (offset := int(match[3], 16)) > MAX_OFFSET:
            raise DomainError(Reason.CURSOR_INVALID, "This text is no cursor of this suite.")
        return cls(int(match[1], 16), int(match[2], 16), offset)


def log_id(tenant: str, name: str) -> int:
    """The 32 bits that stand for a log in its cursors: another tenant's cursor names another log."""
    digest = hashlib.sha256(f"{tenant}\0{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
