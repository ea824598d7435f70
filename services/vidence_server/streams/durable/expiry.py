"""Carrying out retention, a slice at a time, so that publishers do not wait for it."""

from __future__ import annotations

from dataclasses import replace

from vidence_server.streams.append import Durability
from vidence_server.streams.durable.recovery import refresh
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.store import Extent, RecordStore, StoreError
from vidence_server.streams.durable.tail import LogTail

SLICE = 512
"""Records that are removed in one transaction."""


def expire(store: RecordStore, tail: LogTail, retention: Retention, now_ns: int) -> bool:
    """Removes a slice of what retention no longer keeps.

    Returns:
        Whether something was removed; there may be more.

    Raises:
        StoreError: Nothing was removed, or it is unknown; try again later.
    """
    refresh(store, tail)
    if not retention.due(tail.extent, tail.oldest_time_ns, now_ns):
        return False
    oldest = store.oldest_records(tail.number, tail.extent.oldest, SLICE + 1)
    gone = retention.cut(tail.extent, oldest[:SLICE], now_ns)
    if not gone:
        # Known wrongly, because records were missing or a removal was in doubt.
        tail.oldest_time_ns = oldest[0].time_ns if oldest else None
        return False
    extent = replace(
        tail.extent,
        oldest=gone[-1].offset,
        event_count=tail.extent.event_count - len(gone),
        size_bytes=tail.extent.size_bytes - sum(record.size_bytes for record in gone),
        expired_until_ns=gone[-1].time_ns,
    )
    _remove(store, tail, extent)
    tail.expired += len(gone)
    tail.oldest_time_ns = oldest[len(gone)].time_ns if len(gone) < len(oldest) else None
    return True


def _remove(store: RecordStore, tail: LogTail, extent: Extent) -> None:
    # Readers must know before it happens: to them a missing record is a corrupt one.
    tail.expired_until_ns = extent.expired_until_ns
    tail.oldest = extent.oldest
    try:
        store.begin(Durability.WRITTEN)
        store.remove(tail.number, extent.oldest)
        store.set_extent(tail.number, extent)
        store.commit()
    except StoreError:
        tail.uncertain = True
        store.rollback()
        raise
    tail.extent = extent
