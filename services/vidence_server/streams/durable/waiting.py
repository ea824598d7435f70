"""Requests that wait for the writer: bounded, and taken in groups."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.durable.requests import AppendRequest

T = TypeVar("T")
_RETRY_S = 0.1
# Groups are not divided below this: a commit has its own cost.
_UNDIVIDED = 256


class WaitingRequests(Generic[T]):
    """A queue between the loop, which puts requests in, and the writer's thread, which takes groups out.

    Bound: events and bytes that are not yet answered; overflow policy: the next call is refused, QUEUE_FULL.
    """

    def __init__(
        self, *, max_events: int, max_bytes: int, max_group_events: int, max_group_bytes: int
    ) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_group_events = max_group_events
        self._max_group_bytes = max_group_bytes
        self._requests: deque[AppendRequest[T]] = deque()
        self.events = 0
        """Events accepted and not yet answered."""
        self.size_bytes = 0
        """Their bodies."""
        self.refused_events = 0

    def __bool__(self) -> bool:
        return bool(self._requests)

    def put(self, request: AppendRequest[T]) -> None:
        """Takes a request, on the loop. One that is larger than the bound is taken when it is alone.

        Raises:
            DomainError: QUEUE_FULL.
        """
        count = len(request.drafts)
        if self.events and (
            self.events + count > self._max_events or self.size_bytes + request.size_bytes > self._max_bytes
        ):
            self.refused_events += count
            raise DomainError(
                Reason.QUEUE_FULL,
                "Too many events are waiting to be written.",
                metadata={"step": "event-log", "queued": str(self.events), "limit": str(self._max_events)},
                retry_after_s=_RETRY_S,
            )
        self.events += count
        self.size_bytes += request.size_bytes
        self._requests.append(request)

    def take_group(self) -> list[AppendRequest[T]]:
        """The next requests to be committed together, in the writer's thread; none if none wait."""
        group: list[AppendRequest[T]] = []
        events = size_bytes = 0
        # Of many only half: while it is written, the loop answers the other half.
        most = min(self._max_group_events, max(_UNDIVIDED, self.events // 2))
        while self._requests:
            request = self._requests[0]
            events += len(request.drafts)
            size_bytes += request.size_bytes
            if group and (events > most or size_bytes > self._max_group_bytes):
                break
            group.append(self._requests.popleft())
        return group

    def answered(self, request: AppendRequest[T]) -> None:
        """A request that was taken has its answer: there is room again. On the loop."""
        self.events -= len(request.drafts)
        self.size_bytes -= request.size_bytes
