"""What a broadcast asks of the log behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from vidence_server.streams.entry import LogItem


class LogBounds(NamedTuple):
    """What a log holds."""

    oldest: int
    """Reading after this offset gives everything that is kept; 0 while nothing expired."""
    newest: int
    """Offset of the last entry or hole that may be read; equals `oldest` in an empty log."""


class LogPage(NamedTuple):
    """A stretch of a log."""

    items: Sequence[LogItem]
    """Entries and holes in the order of their offsets, none left out between the asked start and `end`."""
    end: int
    """How far the page reaches, inclusive: read on after it."""


class ReadableLog(Protocol):
    """A log as its readers see it.

    Offsets rise by one from entry to entry; where they do not, a `Hole` tells why.
    """

    @property
    def log(self) -> int:
        """The 32 bits of its cursors."""
        ...

    @property
    def epoch(self) -> int:
        """Its epoch."""
        ...

    def bounds(self) -> LogBounds:
        """What it holds now, from memory."""
        ...

    async def read(self, after: int, *, until: int, limit: int, max_bytes: int) -> LogPage:
        """The items in (after, until]: at most `limit`, stopping at about `max_bytes`, but at least one.

        What retention removed is not told: compare with `bounds` after the call. Entries that fail their
        checksum come as holes, CORRUPT.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        ...

    async def offset_before(self, time_ns: int) -> int | None:
        """The offset after which reading starts at the first entry taken at or after a time, Unix ns.

        None: entries taken at or after that time may have been removed by retention.
        """
        ...

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until], kept or not; None where that is unknown."""
        ...
