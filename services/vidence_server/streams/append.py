"""What is appended to a log, and what becomes of it."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeAlias


class Durability(IntEnum):
    """What an acknowledged entry survives, rising; the numbers are those of `vidence.event.v1.Durability`."""

    MEMORY = 1
    """It has its place and is broadcast; written soon."""
    WRITTEN = 2
    """kill -9: the operating system has it."""
    SYNCED = 3
    """A power cut: the disk has it."""


class Draft(NamedTuple):
    """An event that has no place yet. A tuple, because a hundred thousand are made per second."""

    body: bytes
    """The encoded event without its cursor, `emit_time` included."""
    time_ns: int
    """Its `emit_time`, Unix ns; the log is given drafts in rising order of it."""
    key: object
    """What filters and indexes look at."""
    identity: str | None
    """A second draft of the same identity is a repetition; None: it cannot be one."""
    publisher: str
    """Whose `sequence` it is."""
    sequence: int
    """The publisher's own checked count, from 1; 0: it does not count."""


class Appended(NamedTuple):
    """The draft has a place."""

    offset: int
    repeated: bool
    """It had that place already, from an earlier draft of the same identity."""


class Refused(NamedTuple):
    """The publisher's count does not go on; nothing was appended."""

    expected: int
    actual: int


AppendResult: TypeAlias = Appended | Refused
