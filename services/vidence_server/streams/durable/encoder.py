"""Encoding the entries of one log, a hundred thousand per second."""

from __future__ import annotations

from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import encode_entry

_MOST_SIZES = 1024
_OFFSET_DIGITS = 16


class EntryEncoder:
    """Gives the same bytes as `encode_entry`, in half the time.

    Entries of a log whose bodies have the same size differ in their bodies and in the last digits of their
    cursors only; what stands before and between is remembered. Safe from any thread.
    """

    def __init__(self, log: int, epoch: int) -> None:
        self._cursor = str(Cursor(log, epoch, 0))
        self._frames: dict[int, tuple[bytes, bytes]] = {}  # bound: _MOST_SIZES, then begun anew

    def encode(self, body: bytes, offset: int) -> bytes:
        """The event as an element of `events`, with the cursor of its offset."""
        head, between = self._frames.get(len(body)) or self._frame(len(body))
        return b"%b%b%b%016x" % (head, body, between, offset)

    def _frame(self, size: int) -> tuple[bytes, bytes]:
        if len(self._frames) >= _MOST_SIZES:
            self._frames.clear()
        frame = encode_entry(bytes(size), self._cursor)
        end = len(frame) - len(encode_entry(b"", self._cursor)[2:])
        self._frames[size] = (frame[: end - size], frame[end:-_OFFSET_DIGITS])
        return self._frames[size]
