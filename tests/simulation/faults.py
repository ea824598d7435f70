"""What may go wrong in a history."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Fault(Enum):
    """A fault, and in words what it does; the words stand in docs/guarantees.md."""

    CLEAN_RESTART = "the server stops cleanly and starts again"
    KILLED = "kill -9 of the server at any moment"
    KILLED_AT_DISK = "kill -9 of the server within a transaction, a reservation, a commit"
    POWER_CUT = "the power fails: what was written and not synced is lost from some transaction on"
    DISK_FULL = "the disk is full for a while"
    COMMIT_FAILED = "commits fail and keep nothing"
    OUTCOME_UNKNOWN = "commits fail and have kept everything"
    INSERT_FAILED = "inserts fail in the middle of a transaction"
    READ_FAILED = "reading from the disk fails for a while"
    RECORD_CORRUPT = "a bit of a stored record flips"
    PAGE_UNREADABLE = "a page of the file cannot be read"
    LOG_REPLACED = "the file of the log is gone, and a new one is made"
    LOG_RESTORED = "an older copy of the file is put back"
    CLOCK_FORWARD = "the wall clock jumps forwards"
    CLOCK_BACK = "the wall clock jumps backwards"
    CONNECTIONS_CUT = "all connections break at once"
    WATCHER_CUT = "a watcher's connection breaks after some messages"
    WATCHER_STALLED = "a watcher stops reading for longer than the ring lasts"
    WATCHER_SLOW = "a watcher reads more slowly than events come"
    WATCHER_TWICE = "a watcher connects twice at the same cursor"
    ANSWER_LOST = "the answer to a publisher is lost, and it repeats the call"
    CALL_CANCELLED = "a publisher cancels its call, and repeats it"
    REPEATED = "an old event is published again, perhaps with a higher durability"
    RETENTION = "retention removes events that watchers have not read"
    LATE = "timers are late, threads are slow, tasks run in any order"


_LOST_MEMORY = "events acknowledged as MEMORY and not yet written; a gap says UNCLEAN_STOP"
_REFUSED = "the call is refused, STORAGE_FAILED; what was acknowledged as MEMORY: a gap, EPHEMERAL"

MAY_COST: Mapping[Fault, str] = {
    Fault.KILLED: _LOST_MEMORY,
    Fault.KILLED_AT_DISK: _LOST_MEMORY,
    Fault.POWER_CUT: "events acknowledged below SYNCED and not synced yet; a gap says UNCLEAN_STOP",
    Fault.DISK_FULL: "the call is refused, STORAGE_FULL; what was acknowledged as MEMORY: a gap, EPHEMERAL",
    Fault.COMMIT_FAILED: _REFUSED,
    Fault.OUTCOME_UNKNOWN: "the call is refused, STORAGE_FAILED; its repetition finds the events in the log",
    Fault.INSERT_FAILED: "the call is refused, STORAGE_FAILED",
    Fault.READ_FAILED: "a watcher that is behind the ring: the stream ends, and is resumed by its cursor",
    Fault.RECORD_CORRUPT: "that event; a gap says CORRUPT",
    Fault.PAGE_UNREADABLE: "the events of that page; a gap says CORRUPT",
    Fault.LOG_REPLACED: "all events; a gap says EPOCH, or CURSOR_EXPIRED is the answer",
    Fault.LOG_RESTORED: "events that the copy does not have; a gap says UNCLEAN_STOP",
    Fault.RETENTION: "events that are too old; a gap says EXPIRED, or CURSOR_EXPIRED is the answer",
    Fault.WATCHER_STALLED: "the stream, with ON_OVERFLOW_DISCONNECT: disconnected, TOO_SLOW",
}
"""What a fault may cost; it is always told. All others cost time only."""
