"""Entries of a log, encoded once and joined as bytes ever after."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, TypeAlias

# Both are field 1 with a length: `events` of every watch response, and `cursor` of every event.
_EVENTS_TAG = b"\x0a"
_CURSOR_TAG = b"\x0a\x22"  # with its length: every cursor has 34 characters
_SEVEN_BITS = 0x7F


class GapReason(Enum):
    """Why entries are missing; the names are those of `vidence.stream.v1.GapReason`."""

    EXPIRED = auto()
    OVERFLOW = auto()
    UNCLEAN_STOP = auto()
    CORRUPT = auto()
    EPHEMERAL = auto()
    EPOCH = auto()


class Entry(NamedTuple):
    """One event in its log. A tuple, because a hundred thousand are made per second."""

    offset: int
    encoded: bytes
    """The event with its cursor as one whole element of the field `events`: ready to be joined."""
    time_ns: int
    """When the log took it, Unix ns; never falls along a log."""
    key: object
    """What filters look at; `streams` does not look inside."""


class Hole(NamedTuple):
    """Offsets without entries, and why."""

    after: int
    """Offset before the hole, exclusive."""
    until: int
    """Last offset of the hole, inclusive."""
    reason: GapReason
    missed_count: int | None
    """How many entries are lost; None: unknown."""


LogItem: TypeAlias = Entry | Hole


def encode_entry(body: bytes, cursor: str) -> bytes:
    """The event as an element of `events`, its cursor appended.

    Args:
        body: The encoded event; a cursor in it is overruled, the last value of a field counts.
        cursor: Its cursor, 34 characters.
    """
    size = len(body) + len(_CURSOR_TAG) + len(cursor)
    return b"".join((_EVENTS_TAG, varint(size), body, _CURSOR_TAG, cursor.encode()))


def varint(value: int) -> bytes:
    """A non-negative number in protobuf's variable length."""
    if value <= _SEVEN_BITS:
        return bytes((value,))
    encoded = bytearray()
    while value > _SEVEN_BITS:
        encoded.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
