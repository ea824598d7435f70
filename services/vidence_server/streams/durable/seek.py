"""Finding a place in a log by time."""

from __future__ import annotations

from vidence_server.streams.durable.store import RecordReader, UnreadableError
from vidence_server.streams.log import LogBounds


def offset_before(reader: RecordReader, number: int, bounds: LogBounds, time_ns: int) -> int:
    """The offset after which the first record taken at or after a time comes: a binary search; blocks.

    What cannot be read counts as late enough, so that reading rather starts too early than too late.

    Args:
        reader: Where the records are.
        number: Their log's number.
        bounds: What may be looked at.
        time_ns: Unix ns; times never fall along a log.

    Raises:
        StoreError: Storage failed.
    """
    # All records up to `low` are too early; the first one behind `high` is not, or there is none.
    low, high = bounds
    while low < high:
        middle = (low + high) // 2
        try:
            record = reader.first_record(number, middle, high)
        except UnreadableError:
            high = middle
            continue
        if record is None or record.time_ns >= time_ns:
            high = middle
        else:
            low = record.offset
    return low
