"""Live queries: searches whose results are told anew when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.library.domain.searches import Hit, SearchRequest
from vidence_server.library.journal import Journal
from vidence_server.library.searching import Searching
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.entry import GapReason
from vidence_server.streams.frames import EndReason
from vidence_server.streams.memory_log import MemoryLog
from vidence_server.streams.requests import AfterCursor
from vidence_server.streams.ring import RingLimits

MAX_K = 100
DEFAULT_IDLE_S = 60.0
_KEPT = 16
"""Lists of hits that a query remembers; the newest says it all."""


@dataclass(frozen=True, slots=True)
class QueryResults:
    """All hits of a query, and what is new about them."""

    query_revision: int
    library_revision: int
    hits: Sequence[Hit]
    entered_ids: Sequence[str]
    left_ids: Sequence[str]


class ResultsEncoder(Protocol):
    """Makes the messages of live queries; `convert` has one."""

    def __call__(self, query_id: str, results: QueryResults, sequence: int, time_ns: int) -> bytes:
        """The `QueryEvent`, without its cursor."""
        ...


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How live queries work."""

    limit: int
    """Queries that may be open."""
    period_s: float
    """Shortest time between two results of one."""


class LiveQuery:
    """One query; its task looks again when the library has changed."""

    def __init__(
        self,
        query_id: str,
        tenant: str,
        library_id: str,
        *,
        log: MemoryLog,
        broadcast: Broadcast,
        idle_s: float,
    ) -> None:
        self.query_id = query_id
        self.tenant = tenant
        self.library_id = library_id
        self.broadcast = broadcast
        self.idle_s = idle_s
        self.request = SearchRequest()
        self.revision = 0
        self.hits: Sequence[Hit] = ()
        self.look = asyncio.Event()
        """Set when there may be something new."""
        self.refining = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self._log = log

    @property
    def newest(self) -> AfterCursor:
        """Where a watcher starts who wants the newest list and what follows."""
        offset = max(0, self._log.bounds().newest - 1)
        return AfterCursor(Cursor(self._log.log, self._log.epoch, offset))

    def tell(self, encode: ResultsEncoder, results: QueryResults, time_ns: int) -> None:
        """Tells a list."""
        body = encode(self.query_id, results, self._log.bounds().newest + 1, time_ns)
        self.broadcast.extend([self._log.append(body, time_ns=time_ns, key=None)])


class LiveQueries:
    """All live queries; owns their tasks, from the beginning of its context to the end."""

    def __init__(
        self,
        journal: Journal,
        searching: Searching,
        encode: ResultsEncoder,
        *,
        clock: Clock,
        ids: IdFactory,
        settings: LiveSettings,
    ) -> None:
        self._journal = journal
        self._searching = searching
        self._encode = encode
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._queries: dict[str, LiveQuery] = {}  # bound: the settings' limit
        self._closing: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._log = structlog.get_logger(__name__)

    def __len__(self) -> int:
        return len(self._queries)

    def count(self, tenant: str) -> int:
        """How many a tenant has open."""
        return sum(query.tenant == tenant for query in tuple(self._queries.values()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all queries."""
        tasks = [query.task for query in self._queries.values() if query.task is not None]
        tasks += self._closing
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def open(
        self, tenant: str, library_id: str, request: SearchRequest, idle_s: float = DEFAULT_IDLE_S
    ) -> LiveQuery:
        """Opens a query; its first list is told already.

        Raises:
            DomainError: QUERY_LIMIT, LIBRARY_NOT_FOUND, and those of a search.
        """
        if len(self._queries) + self._opening >= self._settings.limit:
            raise DomainError(
                Reason.QUERY_LIMIT,
                "The service has as many live queries as it may have.",
                metadata={"limit": str(self._settings.limit)},
                retry_after_s=5.0,
            )
        query_id = self._ids.new("qry")
        epoch = int(self._clock.now().timestamp() * 1000) & 0xFFFF_FFFF
        log = MemoryLog(log=log_id(tenant, f"query/{query_id}"), epoch=epoch, capacity=_KEPT)
        broadcast = Broadcast(log, RingLimits(max_events=_KEPT), self._clock, epoch_gap=GapReason.EPHEMERAL)
        query = LiveQuery(query_id, tenant, library_id, log=log, broadcast=broadcast, idle_s=idle_s)
        self._opening += 1
        try:
            # Listens before it looks: what changes in between is looked at again.
            stop = self._journal.call_on_change(tenant, library_id, query.look.set)
            try:
                await self._refine(query, request)
            except BaseException:
                stop()
                raise
            self._queries[query_id] = query
        finally:
            self._opening -= 1
        query.task = asyncio.create_task(self._run(query, stop), name="live query")
        return query

    def get(self, tenant: str, query_id: str) -> LiveQuery:
        """Gives a query; raises `DomainError`, QUERY_NOT_FOUND."""
        query = self._queries.get(query_id)
        if query is None or query.tenant != tenant:
            raise DomainError(Reason.QUERY_NOT_FOUND, "There is no such live query.")
        return query

    async def refine(self, tenant: str, query_id: str, request: SearchRequest) -> int:
        """Changes what a query looks for; gives the revision of its results.

        Raises:
            DomainError: QUERY_NOT_FOUND, and those of a search.
        """
        query = self.get(tenant, query_id)
        await self._refine(query, request)
        return query.revision

    def close(self, query: LiveQuery) -> None:
        """Ends a query; its watchers are disconnected with ENDED."""
        if self._queries.pop(query.query_id, None) is not None and query.task is not None:
            query.broadcast.end(EndReason.ENDED)
            query.task.cancel()
            self._closing.add(query.task)
            query.task.add_done_callback(self._closing.discard)

    async def _refine(self, query: LiveQuery, request: SearchRequest) -> None:
        if request.k > MAX_K:
            raise DomainError(
                Reason.REQUEST_INVALID,
                f"A live query has {MAX_K} hits at most.",
                fields=(FieldViolation("search.k", f"is at most {MAX_K}"),),
            )
        async with query.refining:
            library_revision, hits = await self._search(query, request)
            query.request, query.revision, query.hits = request, query.revision + 1, hits
            self._tell(query, QueryResults(query.revision, library_revision, hits, (), ()))

    async def _search(self, query: LiveQuery, request: SearchRequest) -> tuple[int, Sequence[Hit]]:
        # Texts would make lists longer than messages may be: whoever wants one asks for the document.
        request = replace(request, include_text=False)
        found = await self._searching.find(query.tenant, query.library_id, request)
        hits: list[Hit] = []
        async with aclosing(self._searching.pages(found)) as pages:
            async for page in pages:
                hits += page
        return found.library.revision, hits

    async def _run(self, query: LiveQuery, stop: Callable[[], None]) -> None:
        try:
            async with query.broadcast:
                await self._keep_looking(query)
                query.broadcast.end(EndReason.ENDED)
        finally:
            stop()
            self._queries.pop(query.query_id, None)

    async def _keep_looking(self, query: LiveQuery) -> None:
        """Returns when the query is over."""
        try:
            while await self._wait(query):
                await self._look(query)
                await asyncio.sleep(self._settings.period_s)
        except DomainError as error:
            if error.reason is not Reason.LIBRARY_NOT_FOUND:
                self._log.warning("live query ended", reason=error.reason)

    async def _wait(self, query: LiveQuery) -> bool:
        """Waits until something changed; False: nobody watched for too long."""
        watched_s = self._clock.monotonic()
        while not query.look.is_set():
            try:
                async with asyncio.timeout(min(1.0, query.idle_s / 4)):
                    await query.look.wait()
            except TimeoutError:
                if query.broadcast.statistics().subscribers:
                    watched_s = self._clock.monotonic()
                if self._clock.monotonic() - watched_s >= query.idle_s:
                    return False
        query.look.clear()
        return True

    async def _look(self, query: LiveQuery) -> None:
        async with query.refining:
            try:
                library_revision, hits = await self._search(query, query.request)
            except DomainError as error:
                if error.retry_after_s is None:
                    raise
                query.look.set()
                return
            if hits == query.hits:
                return
            before = {hit.document_id for hit in query.hits}
            now = {hit.document_id for hit in hits}
            entered = [hit.document_id for hit in hits if hit.document_id not in before]
            left = [hit.document_id for hit in query.hits if hit.document_id not in now]
            query.hits = hits
            self._tell(query, QueryResults(query.revision, library_revision, hits, entered, left))

    def _tell(self, query: LiveQuery, results: QueryResults) -> None:
        query.tell(self._encode, results, int(self._clock.now().timestamp() * 1_000_000) * 1000)
