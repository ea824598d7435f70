"""Tells of changes: in the library's log, on the bus, and to the indexes, all with the change itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from vidence_server.library.domain.changes import Change
from vidence_server.library.domain.libraries import Library, library_not_found
from vidence_server.library.ports import ChangeEncoder
from vidence_server.library.search.index import Ids
from vidence_server.runtime.service_logs import LogName, Place, ServiceLogs
from vidence_server.storage import log_table
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.outbox import Outbox
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.requests import AfterCursor


def _none() -> Ids:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class VectorChange:
    """What a change does to the vectors of a library."""

    ids: Ids = field(default_factory=_none)
    """Documents that have other vectors now, int64 (N,)."""
    data: Sequence[bytes] = ()
    """Their vectors, float32 each."""
    removed: Ids = field(default_factory=_none)
    """Documents that have none any more."""
    replaced: bool = False
    """All of them are others: of another model, or in another kind of index."""


@dataclass(frozen=True, slots=True)
class Step:
    """A library went from one revision to another."""

    library_no: int
    before: int
    after: int
    vectors: VectorChange


StepListener = Callable[[Step], None]


def log_name(tenant: str, library_id: str) -> LogName:
    """The log of a library."""
    return LogName(tenant, f"library/{library_id}")


def scope_of(library: Library) -> str:
    """What transactions that change a library have as their scope."""
    return f"library/{library.no}"


class Journal:
    """Records changes in the transactions that make them."""

    def __init__(self, database: Database, logs: ServiceLogs, outbox: Outbox, encoder: ChangeEncoder) -> None:
        self._database = database
        self._logs = logs
        self._outbox = outbox
        self._encoder = encoder
        self._listeners: list[StepListener] = []  # bound: set up once, by `app`
        self._waiting: dict[str, dict[object, Callable[[], None]]] = {}  # by topic; bound: the live queries

    def listen(self, listener: StepListener) -> None:
        """Calls back on the loop after each commit, in the order of commits."""
        self._listeners.append(listener)

    async def record(
        self,
        transaction: Transaction,
        library: Library,
        changes: Sequence[Change],
        vectors: VectorChange | None = None,
        *,
        end: bool = False,
    ) -> list[Place]:
        """Appends changes to the library's log and puts their events on the way to the bus.

        The caller sets the library's revision to that of the last place.

        Args:
            transaction: Of the changes; its library is locked.
            library: As it was before them.
            changes: In order.
            vectors: What they do to the vectors.
            end: Nothing follows.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        name = log_name(library.tenant, library.library_id)
        encoders = [partial(self._entry, library.library_id, change) for change in changes]
        places = await self._logs.append(transaction, name, encoders, end=end)
        events = [
            self._encoder.event(library, change, place.sequence, place.time_ns)
            for change, place in zip(changes, places, strict=True)
        ]
        await self._outbox.add(transaction, *(event for event in events if event is not None))
        topic = _topic_of(library.tenant, library.library_id)
        transaction.announce(topic)
        after = places[-1].sequence if places else library.revision
        step = Step(library.no, library.revision, after, vectors or VectorChange())
        transaction.after_commit(lambda: self._tell(step, topic))
        return places

    async def place_after(self, tenant: str, library_id: str, revision: int | None) -> AfterCursor | None:
        """Where a watcher starts who knows a library up to a revision; None where nothing is said.

        Raises:
            DomainError: LIBRARY_NOT_FOUND: there is no log of it, also none of a library that was deleted.
        """
        name = log_name(tenant, library_id)
        async with self._database.snapshot() as snapshot:
            head = await log_table.select_head(snapshot, *name)
        if head is None:
            raise library_not_found(library_id)
        if revision is None:
            return None
        return AfterCursor(Cursor(log_id(*name), head.epoch, revision))

    def call_on_change(self, tenant: str, library_id: str, call: Callable[[], None]) -> Callable[[], None]:
        """Calls back on the loop after each change of a library, of any process; gives what ends it."""
        topic, key = _topic_of(tenant, library_id), object()
        self._waiting.setdefault(topic, {})[key] = call
        stop = self._database.listen(topic, call)

        def end() -> None:
            stop()
            calls = self._waiting.get(topic, {})
            calls.pop(key, None)
            if not calls:
                self._waiting.pop(topic, None)

        return end

    @contextmanager
    def followed(self, tenant: str, library_id: str) -> Iterator[None]:
        """Lets watchers here hear of what other processes record, for as long as the block runs."""
        if not self._database.shared:
            yield
            return
        name = log_name(tenant, library_id)
        stop = self._database.listen(_topic_of(tenant, library_id), lambda: self._logs.notice(name))
        try:
            yield
        finally:
            stop()

    def _entry(self, library_id: str, change: Change, place: Place) -> bytes:
        return self._encoder.entry(library_id, change, place.sequence, place.time_ns)

    def _tell(self, step: Step, topic: str) -> None:
        for listener in self._listeners:
            listener(step)
        for call in tuple(self._waiting.get(topic, {}).values()):
            call()


def _topic_of(tenant: str, library_id: str) -> str:
    """What is announced when a library has changed."""
    return f"library/{tenant}/{library_id}"
