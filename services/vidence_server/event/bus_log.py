"""The log of the bus as this service needs it; `streams.durable` has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.log import ReadableLog


class LogStatistics(Protocol):
    """What a log tells of itself. Counters start at 0 with the process."""

    @property
    def event_count(self) -> int:
        """Events kept."""
        ...

    @property
    def size_bytes(self) -> int:
        """Their encoded bytes."""
        ...

    @property
    def oldest_time_ns(self) -> int | None:
        """When the oldest of them was accepted, Unix ns; None: none is kept."""
        ...

    @property
    def expired(self) -> int:
        """Events that retention removed."""
        ...


class BusLog(ReadableLog, Protocol):
    """A log that events are appended to."""

    async def append(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool
    ) -> Sequence[AppendResult]:
        """Gives each draft a place; returns when all have the durability asked for.

        Raises:
            DomainError: QUEUE_FULL, STORAGE_FULL, STORAGE_FAILED: nothing of the call was appended.
        """
        ...

    async def find(self, identity: str) -> int | None:
        """The offset of the event with this identity; None: none is kept."""
        ...

    def statistics(self) -> LogStatistics:
        """The numbers as they are now."""
        ...
