"""What a subscription gives its transport to write, one frame a message."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from vidence_server.streams.entry import GapReason

# Fields 3 and 4 of every watch response: strings of 34 characters.
_CURSOR_TAG = b"\x1a\x22"
_PREVIOUS_TAG = b"\x22\x22"


class EndReason(Enum):
    """Why the server ends a subscription; the names are those of `vidence.stream.v1.DisconnectReason`."""

    DRAINING = auto()
    ENDED = auto()
    IDLE = auto()
    CREDENTIAL_EXPIRED = auto()
    TOO_SLOW = auto()


class Opening(NamedTuple):
    """The subscription is live."""

    cursor: str


class Batch(NamedTuple):
    """Entries, as the bytes of one watch response: `events`, `cursor` and `previous_cursor`."""

    message: bytes
    size: int
    """How many entries."""
    until: int
    """Offset that the message covers to."""


class Gap(NamedTuple):
    """A stretch that this subscriber will not get."""

    cursor: str
    """Its inclusive end."""
    previous_cursor: str
    """Its exclusive start."""
    reason: GapReason
    missed_count: int | None


class Beat(NamedTuple):
    """Nothing was written for the heartbeat period; the server has looked as far as `cursor`."""

    cursor: str
    previous_cursor: str


class End(NamedTuple):
    """The server ends the subscription; nothing follows."""

    cursor: str
    reason: EndReason


Frame: TypeAlias = Opening | Batch | Gap | Beat | End


def encode_batch(events: list[bytes], cursor: str, previous_cursor: str) -> bytes:
    """The bytes of a watch response from elements of `events` and its two cursors, 34 characters each."""
    return b"".join((*events, _CURSOR_TAG, cursor.encode(), _PREVIOUS_TAG, previous_cursor.encode()))
