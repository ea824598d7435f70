"""Group commit: many requests, one transaction. Pure steps over a store; threads and tasks are the caller's.

The order of steps for each group: `prepare`; carry `Prepared.early` out; `commit`; carry its outcome out.
A group whose requests all ask for MEMORY is broadcast and answered early, any other one after its commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from vidence_server.streams.append import Durability
from vidence_server.streams.durable.expiry import expire
from vidence_server.streams.durable.plan import LogPlan
from vidence_server.streams.durable.prepared import Prepared, committed, early, failed
from vidence_server.streams.durable.recovery import open_tail, refresh, reserve
from vidence_server.streams.durable.requests import AppendRequest, Outcome, joined
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.store import IdentityTakenError, RecordStore, StoreError
from vidence_server.streams.durable.tail import LogTail

T = TypeVar("T")
BLOCK = 65_536
"""Offsets that are reserved at a time: what an unclean stop may skip."""
# After a repetition others are likely: so many groups look identities up before they insert.
_CAREFUL_GROUPS = 16
# Bound of the remembered sequences of a log; beyond, they are read again.
_MOST_PUBLISHERS = 10_000


class GroupCommit(Generic[T]):
    """The one writer of a store. Used by one thread at a time.

    Args:
        store: Where records go.
        block: Offsets that are reserved at a time.
    """

    def __init__(self, store: RecordStore, *, block: int = BLOCK) -> None:
        self._store = store
        self._block = block
        self._tails: dict[tuple[str, str], LogTail] = {}
        self._doubt: Prepared[T] | None = None
        self._careful_groups = 0

    def open_log(self, tenant: str, name: str, *, epoch: int) -> LogTail:
        """Opens a log, or makes it; see `open_tail`.

        Args:
            tenant: Whose log.
            name: Which of the tenant's.
            epoch: Of a new log: 32 bits, Unix milliseconds.

        Raises:
            StoreError: The log cannot be used.
        """
        tail = self._tails.get((tenant, name))
        if tail is None:
            try:
                tail = open_tail(self._store, tenant, name, epoch=epoch)
            except StoreError:
                self._store.rollback()
                raise
            self._tails[tenant, name] = tail
        return tail

    def prepare(self, requests: Sequence[AppendRequest[T]]) -> Prepared[T]:
        """Gives drafts their offsets and inserts them into a transaction. Its error is told, not raised."""
        try:
            settled = self.settle()
        except StoreError as error:
            return Prepared(requests, error=error)
        try:
            prepared = self._insert(requests)
        except StoreError as error:
            self.abandon(requests)
            return Prepared(requests, settled, error=error)
        prepared.early = joined(settled, early(prepared)) if prepared.answered else settled
        return prepared

    def commit(self, prepared: Prepared[T]) -> Outcome[T]:
        """Commits a group with the highest durability asked for in it. Its error is told, not raised."""
        if prepared.error is not None:
            return failed(prepared, prepared.error)
        if not prepared.writing and not prepared.syncing:
            self.abandon(prepared.requests)
            return committed(prepared)
        try:
            self._store.commit()
        except StoreError as error:
            self._doubt = prepared if prepared.writing else None
            self._mark_uncertain(prepared)
            self.abandon(prepared.requests)
            return failed(prepared, error)
        return committed(prepared)

    def settle(self) -> Outcome[T] | None:
        """Finds out what became of a commit that failed, and records what was lost with it.

        What was broadcast and not kept becomes a hole, EPHEMERAL. What was kept after all, although its
        publishers were told that this is unknown, is to be broadcast as soon as it has its durability.

        Raises:
            StoreError: Still unknown; nothing may be appended before.
        """
        doubt = self._doubt
        if doubt is None:
            return None
        try:
            outcome = self._settle(doubt)
        except StoreError:
            self._mark_uncertain(doubt)
            self.abandon(doubt.requests)
            raise
        self._doubt = None
        return outcome

    def expire(self, tail: LogTail, retention: Retention, now_ns: int) -> bool:
        """Removes a slice of what is no longer kept, as `expiry.expire`; not while a commit is in doubt."""
        return self._doubt is None and expire(self._store, tail, retention, now_ns)

    def abandon(self, requests: Sequence[AppendRequest[T]]) -> None:
        """Takes back what was done for a group that cannot go on."""
        try:
            self._store.rollback()
        except StoreError:
            # Whatever is wrong, the next transaction will meet it too.
            for request in requests:
                request.tail.uncertain = True

    def close(self) -> Outcome[T] | None:
        """Gives reserved offsets back and closes the store: a clean stop.

        Raises:
            StoreError: The next start will be one after an unclean stop.
        """
        try:
            outcome = self.settle()
            for tail in self._tails.values():
                if tail.reserved > tail.newest:
                    self._store.reserve(tail.number, tail.newest)
        finally:
            self._store.close()
        return outcome

    def _insert(self, requests: Sequence[AppendRequest[T]]) -> Prepared[T]:
        by_log: dict[int, list[AppendRequest[T]]] = {}
        for request in requests:
            by_log.setdefault(request.tail.number, []).append(request)
        for of_log in by_log.values():
            refresh(self._store, of_log[0].tail)
            count = sum([len(request.drafts) for request in of_log])
            reserve(self._store, of_log[0].tail, count, self._block)
        durability = max(request.durability for request in requests)
        try:
            plans = self._insert_all(by_log.values(), durability, careful=self._careful_groups > 0)
        except IdentityTakenError:
            self._careful_groups = _CAREFUL_GROUPS
            self._store.rollback()
            plans = self._insert_looked_up(by_log.values(), durability)
        self._careful_groups = max(0, self._careful_groups - 1)
        return Prepared(requests, None, plans, durability)

    def _insert_looked_up(
        self, by_log: Collection[Sequence[AppendRequest[T]]], durability: Durability
    ) -> list[LogPlan[T]]:
        try:
            return self._insert_all(by_log, durability, careful=True)
        except IdentityTakenError as error:
            raise StoreError("The store found an identity that it does not hold.") from error

    def _insert_all(
        self, by_log: Collection[Sequence[AppendRequest[T]]], durability: Durability, *, careful: bool
    ) -> list[LogPlan[T]]:
        self._store.begin(durability)
        return [self._insert_into(requests, durability, careful=careful) for requests in by_log]

    def _insert_into(
        self, requests: Sequence[AppendRequest[T]], durability: Durability, *, careful: bool
    ) -> LogPlan[T]:
        tail = requests[0].tail
        known = self._store.identities(tail.number, _identities(requests)) if careful else None
        plan: LogPlan[T] = LogPlan(tail, known, lambda publisher: self._last_sequence(tail, publisher))
        plan.add(requests)
        plan.finish()
        if plan.records:
            self._store.insert(tail.number, plan.records)
            self._store.set_extent(tail.number, plan.extent)
            if plan.sequences:
                self._store.set_sequences(tail.number, plan.sequences)
        elif plan.repeated and durability is Durability.SYNCED:
            # An unchanged extent, so that there is something to commit: it syncs what is repeated.
            self._store.set_extent(tail.number, plan.extent)
        return plan

    def _last_sequence(self, tail: LogTail, publisher: str) -> int:
        last = tail.sequences.get(publisher)
        if last is None:
            if len(tail.sequences) >= _MOST_PUBLISHERS:
                tail.sequences.clear()
            last = tail.sequences[publisher] = self._store.sequence(tail.number, publisher)
        return last

    def _mark_uncertain(self, prepared: Prepared[T]) -> None:
        for plan in prepared.plans:
            plan.tail.uncertain = True

    def _settle(self, doubt: Prepared[T]) -> Outcome[T] | None:
        plans = doubt.writing
        if not doubt.lost:
            doubt.lost = self._store.extent(plans[0].tail.number).newest < plans[0].newest
        for plan in plans:
            refresh(self._store, plan.tail)
        if doubt.lost:
            return self._record_loss(plans) if doubt.answered else None
        # It was kept. An empty change, so that a commit gives it the durability it should have.
        self._store.begin(doubt.durability)
        for plan in plans:
            self._store.set_extent(plan.tail.number, plan.extent)
        self._store.commit()
        return committed(doubt)._replace(answers=())

    def _record_loss(self, plans: Sequence[LogPlan[T]]) -> Outcome[T]:
        extents = [replace(plan.tail.extent, newest=plan.newest) for plan in plans]
        self._store.begin(Durability.WRITTEN)
        for plan, extent in zip(plans, extents, strict=True):
            number = plan.tail.number
            self._store.add_hole(number, plan.hole)
            self._store.set_extent(number, extent)
            # Their publishers count on: they were told that these events have their place.
            self._store.set_sequences(number, plan.sequences)
        self._store.commit()
        for plan, extent in zip(plans, extents, strict=True):
            plan.tail.holes = (*plan.tail.holes, plan.hole)
            plan.tail.extent = extent
            plan.tail.failed += len(plan.records)
        return Outcome((), [(plan.tail, plan.newest) for plan in plans], ())


def _identities(requests: Sequence[AppendRequest[T]]) -> set[str]:
    return {draft.identity for request in requests for draft in request.drafts if draft.identity is not None}
