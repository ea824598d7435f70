"""A group of requests between its insert and its commit, and what is carried out of it when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from vidence_server.streams.append import Durability
from vidence_server.streams.durable.failures import storage_error
from vidence_server.streams.durable.plan import LogPlan
from vidence_server.streams.durable.requests import AppendRequest, Outcome
from vidence_server.streams.durable.store import StoreError

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Prepared(Generic[T]):
    """A group that is inserted, but not committed; or one that failed."""

    requests: Sequence[AppendRequest[T]]
    early: Outcome[T] | None = None
    """What to carry out before the commit."""
    plans: Sequence[LogPlan[T]] = ()
    durability: Durability = Durability.MEMORY
    error: StoreError | None = None
    lost: bool = False
    """Its commit failed, and nothing of it was kept."""

    @property
    def syncing(self) -> bool:
        """Whether it repeats events for a request that wants them synced: they may only be written."""
        return self.durability is Durability.SYNCED and any(plan.repeated for plan in self.plans)

    @property
    def answered(self) -> bool:
        """Whether it was broadcast and answered before its commit."""
        return self.error is None and self.durability is Durability.MEMORY

    @property
    def writing(self) -> list[LogPlan[T]]:
        """The plans that change something."""
        return [plan for plan in self.plans if plan.records]


def _advance(plan: LogPlan[T]) -> None:
    plan.tail.newest = plan.newest
    plan.tail.sequences.update(plan.sequences)
    plan.tail.repeated += plan.repeated
    plan.tail.refused += plan.refused


def early(prepared: Prepared[T]) -> Outcome[T]:
    """Broadcast and answers of a group that needs no commit for them."""
    for plan in prepared.plans:
        _advance(plan)
    items = [(plan.tail, plan.records) for plan in prepared.writing]
    return Outcome(items, (), [answer for plan in prepared.plans for answer in plan.answers])


def committed(prepared: Prepared[T]) -> Outcome[T]:
    """What is left to carry out after the commit."""
    for plan in prepared.plans:
        if not prepared.answered:
            _advance(plan)
        tail = plan.tail
        tail.extent = plan.extent
        tail.appended += len(plan.records)
        if tail.oldest_time_ns is None and plan.records:
            tail.oldest_time_ns = plan.records[0].time_ns
    committed = [(plan.tail, plan.newest) for plan in prepared.writing]
    if prepared.answered:
        return Outcome((), committed, ())
    items = [(plan.tail, plan.records) for plan in prepared.writing]
    return Outcome(items, committed, [answer for plan in prepared.plans for answer in plan.answers])


def failed(prepared: Prepared[T], error: StoreError) -> Outcome[T]:
    """The answers of a group that was not kept."""
    if prepared.answered:
        return Outcome((), (), ())
    for request in prepared.requests:
        request.tail.failed += len(request.drafts)
    return Outcome((), (), [(request, storage_error(error)) for request in prepared.requests])
