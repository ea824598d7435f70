"""How far batches, items and jobs are."""

from __future__ import annotations

from enum import StrEnum


class BatchState(StrEnum):
    """How far a batch is."""

    OPEN = "OPEN"
    """It takes items."""
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing of it is worked at any more."""
        return self in _ENDED_BATCHES

    @property
    def active(self) -> bool:
        """Whether it was started and has not ended."""
        return self in {BatchState.QUEUED, BatchState.RUNNING}


class ItemState(StrEnum):
    """How far an item is, or a job, which is an item by itself."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether it is worked at no more."""
        return self in _ENDED_ITEMS


class Stage(StrEnum):
    """Where an item is on its way, as its batch's progress tells."""

    READING = "READING"
    DONE = "DONE"
    RETRY = "RETRY"


_ENDED_BATCHES = frozenset(
    {BatchState.SUCCEEDED, BatchState.PARTIAL, BatchState.FAILED, BatchState.CANCELLED}
)
_ENDED_ITEMS = frozenset({ItemState.SUCCEEDED, ItemState.FAILED, ItemState.CANCELLED})
