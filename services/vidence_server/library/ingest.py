"""Takes documents by the thousand: several messages in work, results in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.library.committer import Committer
from vidence_server.library.domain.documents import DocumentDraft, Kept
from vidence_server.library.domain.libraries import Library
from vidence_server.library.keeping import Keeper, KeepPolicy, Turn

MAX_DOCUMENTS = 2048
"""In work per stream."""
MAX_BYTES = 32 * 2**20
_MAX_MESSAGES = 32
_BACK_OFF_PERIOD_S = 1.0
_BACK_OFF_DELAY_S = 0.5


@dataclass(frozen=True, slots=True)
class Offered:
    """A document as a client sent it."""

    document_id: str
    draft: DocumentDraft | DomainError
    """An error: it is none."""
    line: int = 0
    """Where it stands in its body, from 1."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Documents that came together."""

    documents: Sequence[Offered]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a document."""

    offered: Offered
    outcome: Kept | DomainError


@dataclass(frozen=True, slots=True)
class BackOff:
    """The stream is not read on for the time being."""

    waiting: int
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class ShuttingDown:
    """The stream is read no more."""

    retry_after_s: float


IngestNews: TypeAlias = Sequence[Result] | BackOff | ShuttingDown
_InWork: TypeAlias = tuple[Offer, asyncio.Task[list[Result]]]


class _Room:
    """How much of a stream is in work."""

    def __init__(self) -> None:
        self._documents = 0
        self._bytes = 0
        self._messages = 0
        self._freed = asyncio.Condition()

    def fits(self, offer: Offer) -> bool:
        """Whether it may be taken now; one message always may."""
        return self._messages == 0 or (
            self._messages < _MAX_MESSAGES
            and self._documents + len(offer.documents) <= MAX_DOCUMENTS
            and self._bytes + offer.size_bytes <= MAX_BYTES
        )

    async def take(self, offer: Offer) -> None:
        """Waits until it fits."""
        async with self._freed:
            await self._freed.wait_for(lambda: self.fits(offer))
            self._count(offer, 1)

    async def give(self, offer: Offer) -> None:
        """It is done."""
        async with self._freed:
            self._count(offer, -1)
            self._freed.notify_all()

    def _count(self, offer: Offer, sign: int) -> None:
        self._documents += sign * len(offer.documents)
        self._bytes += sign * offer.size_bytes
        self._messages += sign


class IngestStream:
    """One stream, from the first message to the last result; owns its tasks, from `async with` to its end.

    Bound: 2,048 documents or 32 MiB in work, results that were not fetched included; overflow policy: the
    next message is not read.
    """

    def __init__(
        self,
        offers: AsyncIterator[Offer],
        library: Library,
        policy: KeepPolicy,
        *,
        keeper: Keeper,
        committer: Committer,
        clock: Clock,
        stop: asyncio.Event,
    ) -> None:
        """A stream at rest.

        Args:
            offers: What comes.
            library: Where it goes.
            policy: How.
            keeper: Keeps it.
            committer: Tells whether there is room.
            clock: For the pauses between two notes that the stream waits.
            stop: Ends the reading: what was read is still answered.
        """
        self._offers = offers
        self._library = library
        self._policy = policy
        self._keeper = keeper
        self._committer = committer
        self._clock = clock
        self._stop = stop
        self._room = _Room()
        self._work: deque[_InWork | None] = deque()  # bound: the room; None: the end
        self._notes: deque[BackOff | ShuttingDown] = deque()  # bound: one a second, and one
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()  # bound: 32 and two
        self._failure: Exception | None = None
        self._told_s = -_BACK_OFF_PERIOD_S
        self._last: Turn | None = None

    async def __aenter__(self) -> Self:
        """Begins to read."""
        reading = self._own(self._read())
        self._own(self._stop_reading(reading))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops what still runs, and returns when nothing of it is left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def next(self) -> IngestNews | None:
        """The results of the next message, or a note; None after the last.

        Raises:
            Exception: What reading or keeping raised, when all before it have given their results.
        """
        while True:
            if self._notes:
                return self._notes.popleft()
            if self._work and (done := self._work[0]) is None:
                if self._failure is not None:
                    raise self._failure
                return None
            if self._work and done is not None and done[1].done():
                self._work.popleft()
                self._tasks.discard(done[1])
                await self._room.give(done[0])
                return done[1].result()
            self._moved.clear()
            await self._moved.wait()

    async def _read(self) -> None:
        try:
            async for offer in self._offers:
                self._note_waiting(offer)
                await self._room.take(offer)
                turn = Turn(self._last.lined_up if self._last else None)
                self._last = turn
                self._add((offer, self._own(self._keep(offer, turn))))
        except Exception as error:  # noqa: BLE001  # given to whoever asks for the next result
            self._failure = error
        finally:
            if self._stop.is_set():
                self._notes.append(ShuttingDown(_BACK_OFF_PERIOD_S))
            self._add(None)

    def _note_waiting(self, offer: Offer) -> None:
        now_s = self._clock.monotonic()
        if not self._room.fits(offer) and now_s - self._told_s >= _BACK_OFF_PERIOD_S:
            self._told_s = now_s
            if not self._notes:  # who does not read hears of it once
                self._notes.append(BackOff(self._committer.statistics().waiting, _BACK_OFF_DELAY_S))
            self._moved.set()

    async def _keep(self, offer: Offer, turn: Turn) -> list[Result]:
        drafts = [each.draft for each in offer.documents if isinstance(each.draft, DocumentDraft)]
        outcomes = iter(await self._keeper.keep(self._library, drafts, self._policy, turn))
        return [
            Result(each, each.draft if isinstance(each.draft, DomainError) else next(outcomes))
            for each in offer.documents
        ]

    async def _stop_reading(self, reading: asyncio.Task[None]) -> None:
        await self._stop.wait()
        reading.cancel()

    def _add(self, work: _InWork | None) -> None:
        self._work.append(work)
        if work is not None:
            work[1].add_done_callback(lambda _: self._moved.set())
        self._moved.set()

    def _own(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name="ingest of documents")
        self._tasks.add(task)
        return task
