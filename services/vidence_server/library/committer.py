"""Writes documents: what comes in close together, from whomever, is one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.commits import Decision, Operation, Plan, VectorMissing, plan, rows_of
from vidence_server.library.domain.documents import Kept
from vidence_server.library.domain.libraries import Library, library_not_found
from vidence_server.library.indexes import VectorIndexes
from vidence_server.library.journal import Journal, VectorChange, scope_of
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.store import documents, exports, libraries
from vidence_server.library.store.documents import DocumentRow
from vidence_server.library.store.libraries import Growth
from vidence_server.storage.database import Database, Transaction

Outcome: TypeAlias = Kept | DomainError | VectorMissing
"""What became of an operation."""


@dataclass(frozen=True, slots=True)
class CommitterStatistics:
    """What was written. Counters start with the process."""

    waiting: int = 0
    """Documents that wait."""
    committed: int = 0
    """Operations that were kept; repetitions are not counted."""
    commits: int = 0
    refused: int = 0

    def plus(self, more: CommitterStatistics) -> CommitterStatistics:
        """Both together."""
        return CommitterStatistics(
            self.waiting + more.waiting,
            self.committed + more.committed,
            self.commits + more.commits,
            self.refused + more.refused,
        )


@dataclass(slots=True, eq=False)
class _Submission:
    library: Library
    operations: Sequence[Operation]
    future: asyncio.Future[list[Outcome]]


class Committer:
    """One task that commits, from the beginning of its context to the end.

    Bound: `limit` operations wait, and one submission more; overflow policy: whoever submits waits, in turn.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        indexes: VectorIndexes,
        lexical: LexicalIndex,
        clock: Clock,
        *,
        limit: int,
        group: int,
    ) -> None:
        """A committer at rest.

        Args:
            database: Of the service.
            journal: Is told the changes.
            indexes: Of the vectors; are brought up to date before an outcome is told.
            lexical: Of the words.
            clock: The time of changes.
            limit: Operations that may wait.
            group: Operations of one transaction, about.
        """
        self._database = database
        self._journal = journal
        self._indexes = indexes
        self._lexical = lexical
        self._clock = clock
        self._limit = limit
        self._group = group
        self._queue: deque[_Submission] = deque()  # bound: `limit`, by `_room`
        self._waiting = 0
        self._room = asyncio.Condition()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)
        self._numbers: dict[str, CommitterStatistics] = {}  # bound: the tenants of the settings

    async def __aenter__(self) -> Self:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="committer of documents")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends; whoever waits still is told."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for submission in self._queue:
            if not submission.future.done():
                submission.future.set_exception(_ending())

    async def submit(
        self, library: Library, operations: Sequence[Operation]
    ) -> asyncio.Future[list[Outcome]]:
        """Waits for room and lines operations up; those lined up first are committed first.

        Returns:
            What will become of them, in order; known when it survives the death of the process. Raises
            `DomainError`: LIBRARY_NOT_FOUND, STORAGE_FULL, STORAGE_FAILED; then none was kept.
        """
        async with self._room:
            await self._room.wait_for(lambda: self._waiting < self._limit)
            future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            self._queue.append(_Submission(library, operations, future))
            self._waiting += len(operations)
            self._count(library, waiting=len(operations))
        self._filled.set()
        return future

    @property
    def crowded(self) -> bool:
        """Whether whoever submits now must wait."""
        return self._waiting >= self._limit

    def statistics(self) -> CommitterStatistics:
        """The numbers of all tenants as they are now."""
        total = CommitterStatistics()
        for numbers in tuple(self._numbers.values()):
            total = total.plus(numbers)
        return total

    def statistics_of(self, tenant: str) -> CommitterStatistics:
        """The numbers of one tenant."""
        return self._numbers.get(tenant, CommitterStatistics())

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                group = list(self._next_group())
                try:
                    await self._commit(group)
                except asyncio.CancelledError:
                    _fail(group, _ending())
                    raise
                except DomainError as error:
                    _fail(group, error)
                except Exception as error:  # noqa: BLE001  # told to those who wait; the next group goes on
                    self._log.error("commit failed", exc_info=error)
                    _fail(group, error)
                size = sum(len(each.operations) for each in group)
                self._count(group[0].library, waiting=-size)
                async with self._room:
                    self._waiting -= size
                    self._room.notify_all()

    def _next_group(self) -> Iterator[_Submission]:
        """Submissions for the library of the first one, as many as fit, in order."""
        first = self._queue[0]
        size = 0
        for submission in tuple(islice(self._queue, 256)):
            if submission.library.no != first.library.no:
                continue
            size += len(submission.operations)
            if size > self._group and submission is not first:
                return
            self._queue.remove(submission)
            yield submission

    async def _commit(self, group: Sequence[_Submission]) -> None:
        library = group[0].library
        operations = [operation for each in group for operation in each.operations]
        outcomes = await self._database.run(
            lambda transaction: self._write(transaction, library, operations), scope=scope_of(library)
        )
        await self._indexes.flush(library.no)
        self._count(library, commits=1)
        start = 0
        for each in group:
            end = start + len(each.operations)
            if not each.future.done():
                each.future.set_result(outcomes[start:end])
            start = end
        self._count(library, refused=sum(isinstance(outcome, DomainError) for outcome in outcomes))

    async def _write(
        self, transaction: Transaction, library: Library, operations: Sequence[Operation]
    ) -> list[Outcome]:
        current = await libraries.find_no(transaction, library.no, lock=True)
        if current is None:
            raise library_not_found(library.library_id)
        now = self._clock.now()
        there = await documents.existing(
            transaction, current.no, list({operation.document_id for operation in operations})
        )
        last_no, _ = await libraries.last_numbers(transaction, current.no)
        made = plan(current, there, operations, last_no=last_no, now=now)
        revisions: list[int] = []
        if made.changes:
            revisions = await self._write_plan(transaction, current, made, now)
            transaction.after_commit(lambda: self._count(library, committed=len(made.changes)))
        return [
            _outcome(operation, verdict, revisions)
            for operation, verdict in zip(operations, made.verdicts, strict=True)
        ]

    async def _write_plan(
        self, transaction: Transaction, library: Library, made: Plan, now: datetime
    ) -> list[int]:
        first = library.revision + 1
        removed = list(made.removed.values())
        new, changed = rows_of(made, range(first, first + len(made.changes)), now)
        await self._keep_former(transaction, library, [*removed, *(row.no for row in changed)], first)
        places = await self._journal.record(
            transaction, library, made.changes, _vector_change(new, changed, removed)
        )
        if places[0].sequence != first:
            raise RuntimeError("the library's revision is not that of its log")
        if removed:
            await documents.remove(transaction, library.no, removed)
            await self._lexical.remove(transaction, library.no, removed)
        await documents.write(transaction, library.no, new=new, changed=changed)
        await self._lexical.add(transaction, library.no, [(row.no, row.text) for row in (*new, *changed)])
        await libraries.grow(
            transaction,
            library.no,
            Growth(places[-1].sequence, made.documents, made.content_bytes, last_document_no=made.last_no),
        )
        return [place.sequence for place in places]

    async def _keep_former(
        self, transaction: Transaction, library: Library, nos: Sequence[int], until_revision: int
    ) -> None:
        if not nos:
            return
        pinned = await exports.pinned_revision(transaction, library.no, self._clock.now())
        if pinned is not None:
            await documents.keep_former(
                transaction, library.no, nos, pinned=pinned, until_revision=until_revision
            )

    def _count(self, library: Library, **more: int) -> None:
        numbers = self.statistics_of(library.tenant)
        self._numbers[library.tenant] = numbers.plus(CommitterStatistics(**more))


def _outcome(operation: Operation, verdict: object, revisions: Sequence[int]) -> Outcome:
    if isinstance(verdict, DomainError | VectorMissing):
        return verdict
    if not isinstance(verdict, Decision):
        raise TypeError("a plan has a verdict for each operation")
    revision = verdict.revision if verdict.change is None else revisions[verdict.change]
    return Kept(operation.document_id, verdict.state, revision, verdict.version)


def _vector_change(
    new: Sequence[DocumentRow], changed: Sequence[DocumentRow], removed: Sequence[int]
) -> VectorChange:
    rows = [(row.no, row.vector.data) for row in (*new, *changed) if row.vector is not None]
    return VectorChange(
        ids=np.fromiter((no for no, _ in rows), np.int64, len(rows)),
        data=[data for _, data in rows],
        removed=np.fromiter(removed, np.int64, len(removed)),
    )


def _fail(group: Sequence[_Submission], error: Exception) -> None:
    for each in group:
        if not each.future.done():
            each.future.set_exception(error)


def _ending() -> DomainError:
    return DomainError(Reason.DRAINING, "The service is shutting down.", retry_after_s=1.0)
