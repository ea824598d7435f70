"""Opening a log where its last process left it, however that ended."""

from __future__ import annotations

from dataclasses import replace

from vidence_server.streams.append import Durability
from vidence_server.streams.cursor import log_id
from vidence_server.streams.durable.store import RecordStore
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.entry import GapReason, Hole


def open_tail(store: RecordStore, tenant: str, name: str, *, epoch: int) -> LogTail:
    """Opens a log, or makes it with this epoch.

    A clean stop gives back the offsets that were reserved and not used. Where it did not come to that, nobody
    knows which of them subscribers have seen: the log goes on behind all of them.

    Raises:
        StoreError: The log cannot be used.
    """
    found = store.open_log(tenant, name, epoch=epoch)
    tail = LogTail(
        number=found.number,
        log=log_id(tenant, name),
        epoch=found.epoch,
        newest=found.extent.newest,
        reserved=found.reserved,
        holes=found.holes,
        extent=found.extent,
        oldest=found.extent.oldest,
    )
    if tail.reserved > tail.newest:
        _skip_reserved(store, tail)
    first = store.oldest_records(tail.number, tail.oldest, 1)
    tail.oldest_time_ns = first[0].time_ns if first else None
    return tail


def _skip_reserved(store: RecordStore, tail: LogTail) -> None:
    hole = Hole(tail.newest, tail.reserved, GapReason.UNCLEAN_STOP, None)
    extent = replace(tail.extent, newest=tail.reserved)
    store.begin(Durability.SYNCED)
    store.add_hole(tail.number, hole)
    store.set_extent(tail.number, extent)
    store.commit()
    tail.holes = (*tail.holes, hole)
    tail.extent, tail.newest = extent, tail.reserved


def reserve(store: RecordStore, tail: LogTail, count: int, block: int) -> None:
    """Sees to it that so many more offsets of a log are reserved, in whole blocks.

    Raises:
        StoreError: They are not; none of them may be used.
    """
    missing = tail.newest + count - tail.reserved
    if missing > 0:
        until = tail.reserved + -(-missing // block) * block
        store.reserve(tail.number, until)
        tail.reserved = until


def refresh(store: RecordStore, tail: LogTail) -> None:
    """Reads again what a log holds, after a commit whose end is unknown.

    Raises:
        StoreError: It is still unknown.
    """
    if tail.uncertain:
        tail.extent = store.extent(tail.number)
        tail.uncertain = False
