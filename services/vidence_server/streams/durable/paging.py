"""Pages of a log out of records and holes: whatever should be there and is not, is told."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vidence_server.streams.durable.store import RecordReader, StoredRecord, UnreadableError
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.entry import Entry, GapReason, Hole, LogItem
from vidence_server.streams.log import LogPage

_FEWEST_RECORDS = 16


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is asked for: (after, until], at most `limit` items, stopping at about `max_bytes`."""

    after: int
    until: int
    limit: int
    max_bytes: int


def read_page(
    reader: RecordReader, tail: LogTail, key_of: Callable[[bytes], object], asked: Stretch
) -> LogPage:
    """Reads a page; blocks.

    What cannot be read, fails its checksum, or is missing without a reason, comes as a hole, CORRUPT.

    Args:
        reader: Where the records are.
        tail: Their log.
        key_of: Gives the key of a body.
        asked: The stretch; not behind what is committed.

    Raises:
        StoreError: Storage failed.
    """
    items: list[LogItem] = []
    position, size = asked.after, 0
    holes = tail.holes
    while position < asked.until and len(items) < asked.limit and size < asked.max_bytes:
        hole = _hole_behind(holes, position)
        if hole is not None and hole.after <= position:
            items.append(_clipped(hole, position, asked.until))
            position = min(hole.until, asked.until)
            continue
        rows = min(asked.limit - len(items), _rows_for(tail, asked.max_bytes - size))
        end = min(asked.until, position + rows, hole.after if hole else asked.until)
        for item in _items(reader, tail, key_of, position, end):
            items.append(item)
            if isinstance(item, Hole):
                position = item.until
                continue
            position = item.offset
            size += len(item.encoded)
            if size >= asked.max_bytes:
                return LogPage(items, position)
        position = end
    return LogPage(items, position)


def readable(reader: RecordReader, number: int, after: int, until: int) -> Sequence[StoredRecord]:
    """All intact records of a range, in order, however hard they are to find.

    A damaged record can hide those behind it from a reading of many, though not from looking for each alone.

    Raises:
        StoreError: Storage failed.
    """
    found = {
        record.offset: record
        for record in _readable(reader, number, after, until)
        if record.intact and after < record.offset <= until
    }
    if len(found) < until - after > 1:
        for offset in range(after + 1, until + 1):
            if offset not in found:
                for record in _readable(reader, number, offset - 1, offset):
                    if record.intact and record.offset == offset:
                        found[offset] = record
    return [found[offset] for offset in sorted(found)]


def missing_ranges(records: Sequence[StoredRecord], after: int, until: int) -> Iterator[tuple[int, int]]:
    """The ranges of (after, until] that records, in order, leave open; each as (after, until]."""
    position = after
    for record in records:
        if record.offset > position + 1:
            yield position, record.offset - 1
        position = record.offset
    if position < until:
        yield position, until


def open_ranges(holes: Sequence[Hole], after: int, until: int) -> Iterator[tuple[int, int]]:
    """The ranges of (after, until] that holes, in order, leave open; each as (after, until]."""
    position = after
    for hole in holes:
        if position < min(hole.after, until):
            yield position, min(hole.after, until)
        position = max(position, hole.until)
    if position < until:
        yield position, until


def _readable(reader: RecordReader, number: int, after: int, until: int) -> Sequence[StoredRecord]:
    if until <= after:
        return ()
    try:
        return reader.records(number, after, until)
    except UnreadableError:
        if until - after == 1:
            return ()
        middle = (after + until) // 2
        return [*_readable(reader, number, after, middle), *_readable(reader, number, middle, until)]


def _items(
    reader: RecordReader, tail: LogTail, key_of: Callable[[bytes], object], after: int, until: int
) -> Iterator[LogItem]:
    records = readable(reader, tail.number, after, until)
    # Asked after reading: what retention removed meanwhile is not corrupt.
    position = max(after, min(tail.oldest, until))
    for record in records:
        if record.offset <= position:
            continue
        if record.offset > position + 1:
            yield _corrupt(position, record.offset - 1)
        position = record.offset
        encoded = tail.encoder.encode(record.body, position)
        yield Entry(position, encoded, record.time_ns, key_of(record.body))
    if position < until:
        yield _corrupt(position, until)


def _corrupt(after: int, until: int) -> Hole:
    return Hole(after, until, GapReason.CORRUPT, until - after)


def _hole_behind(holes: Sequence[Hole], position: int) -> Hole | None:
    """The first hole that does not end before or at a position."""
    index = bisect_right(holes, position, key=lambda hole: hole.until)
    return holes[index] if index < len(holes) else None


def _clipped(hole: Hole, after: int, until: int) -> Hole:
    start, end = max(hole.after, after), min(hole.until, until)
    missed = hole.missed_count
    if missed is not None and (start, end) != (hole.after, hole.until):
        missed = end - start
    return Hole(start, end, hole.reason, missed)


def _rows_for(tail: LogTail, size_bytes: int) -> int:
    """About how many records make so many bytes."""
    extent = tail.extent
    mean = extent.size_bytes // extent.event_count if extent.event_count else 0
    return max(_FEWEST_RECORDS, size_bytes // max(1, mean))
