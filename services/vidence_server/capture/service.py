"""The capture service: makes sessions, finds them, lets time pass for them, and lets them go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog

from vidence_server.capture.domain.events import SessionEnded
from vidence_server.capture.domain.plan import Moment, Rules, SessionPlan
from vidence_server.capture.domain.results import Evidence, FrameTally, SessionSummary
from vidence_server.capture.domain.session import CaptureSession
from vidence_server.capture.domain.states import State
from vidence_server.capture.feed import Encode, SessionLog, SessionsFeed, Stamp
from vidence_server.capture.frames import Fate, IncomingFrame
from vidence_server.capture.live import EventPlace, LiveSession, Surroundings
from vidence_server.capture.numbers import CaptureStatistics, CreatedSession, Encoders, Totals
from vidence_server.capture.record import SessionRecord, new_record
from vidence_server.capture.settings import CaptureSettings
from vidence_server.capture.store import SessionStore
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.streams.ring import RingLimits

_TICK_S = 0.2
_PURGE_S = 600.0
_MAX_PAGES = 20
_RETRY_S = 5.0


class CaptureService:
    """All sessions of one tenant of this process, from the beginning of its context to the end.

    Bounds: `max_sessions` sessions that are not over (overflow: the next is refused), and those that ended
    within `ended_kept_s`. Work of sessions runs in tasks that belong to this context.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        rules: Rules,
        store: SessionStore,
        encoders: Encoders,
        around: Callable[[CaptureService], Surroundings],
        *,
        clock: Clock,
        ids: IdFactory,
        random_token: Callable[[], str],
        choose: Callable[[int], int],
        tenant: str = "default",
    ) -> None:
        """A service at rest.

        Args:
            settings: Its limits.
            rules: By which sessions decide.
            store: Keeps sessions.
            encoders: Make events.
            around: Makes what all sessions share, of this service.
            clock: The time.
            ids: Names sessions.
            random_token: Makes a token that nobody can guess.
            choose: Gives a random number from 0 to its argument, exclusive.
            tenant: Whose sessions they are.
        """
        self.settings = settings
        self.tenant = tenant
        self.store = store
        self._rules = rules
        self._encoders = encoders
        self._clock = clock
        self._ids = ids
        self._random_token = random_token
        self._choose = choose
        self._live: dict[str, LiveSession] = {}  # bound: see the class
        self._active: set[str] = set()  # those of them whose end was not told yet
        self._gone = Totals(FrameTally(), Counter())
        self._created = 0
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()  # bound: three a session and two
        self._ring = RingLimits(max_events=settings.log_events, max_bytes=settings.log_bytes)
        self._logger = structlog.get_logger(__name__)
        capacity = max(16_384, 4 * settings.max_sessions)
        feed_log = SessionLog(
            tenant,
            "*",
            life=int(clock.now().timestamp() * 1000) & 0xFFFF_FFFF,
            capacity=capacity,
            ring=RingLimits(max_events=capacity, max_bytes=16 * 2**20),
            clock=clock,
        )
        self.feed = SessionsFeed(
            feed_log, self._snapshot, lambda count: partial(encoders.snapshot_complete, count)
        )
        self._around = around(self)

    async def __aenter__(self) -> Self:
        """Takes up what an earlier process left, then lets time pass.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        await self._stack.enter_async_context(self.feed.log)
        for record in await self.store.open_sessions():
            await self._take_up(record)
        self.spawn(self._let_time_pass())
        self.spawn(self._purge())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all work and all watching; sessions go on with the next process."""
        while self._tasks:
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for live in self._live.values():
            await live.log.__aexit__(None, None, None)
        self._live.clear()
        await self._stack.aclose()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work in a task that ends with this context."""
        task = asyncio.create_task(work, name="capture")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def changed(self, live: LiveSession) -> None:
        """Tells those who watch all sessions."""
        if live.session.over:
            self._active.discard(live.record.session_id)
        self.feed.changed(partial(self._encoders.changed, live.summary()))

    async def create(self, plan: SessionPlan, ttl_s: float | None = None) -> CreatedSession:
        """Makes a session that waits for frames.

        Raises:
            DomainError: SESSION_LIMIT, STORAGE_FULL, STORAGE_FAILED.
        """
        if len(self._active) >= self.settings.max_sessions:
            # The end of a session is told a moment after it has ended.
            self._active = {one for one in self._active if not self._live[one].session.over}
        if len(self._active) >= self.settings.max_sessions:
            raise DomainError(
                Reason.SESSION_LIMIT,
                "The service has as many live sessions as it may have.",
                metadata={"limit": str(self.settings.max_sessions)},
                retry_after_s=_RETRY_S,
            )
        session_token, watch_token = self._random_token(), self._random_token()
        now = self._now()
        expire_time = now.time + timedelta(seconds=ttl_s or self.settings.session_ttl_s)
        session_id = self._ids.new("ses")
        session = CaptureSession(
            session_id, plan, self._rules, begin=now, expire_time=expire_time, choose=self._choose
        )
        record = new_record(self.tenant, session, session_token, watch_token)
        live = self._add(session, record)
        try:
            await self.store.add(record)
        except BaseException:
            await self._forget(live)
            raise
        self._created += 1
        live.apply(session.start(self._now()))
        return CreatedSession(session.summary(), session_token, watch_token)

    def pushing(self, session_id: str, token: str) -> LiveSession:
        """The session that a token may push to.

        Raises:
            DomainError: SESSION_NOT_FOUND, SESSION_TOKEN_INVALID, SESSION_ENDED.
        """
        live = self._live.get(session_id)
        if live is None:
            raise DomainError(Reason.SESSION_NOT_FOUND, "No live capture session has this id.")
        if not live.record.is_session_token(token):
            raise _wrong_token()
        return live

    async def push(self, session_id: str, token: str, frame: IncomingFrame) -> tuple[LiveSession, int, Fate]:
        """Takes one frame and waits for what becomes of it; its number too. Errors as `LiveSession.offer`."""
        live = self.pushing(session_id, token)
        number = frame.number or live.session.frames.received + 1
        return live, number, await live.offer(frame)

    async def watched(self, session_id: str, token: str) -> SessionLog:
        """The log of a session; of one that is gone from memory, its end.

        Raises:
            DomainError: SESSION_NOT_FOUND, SESSION_TOKEN_INVALID.
        """
        live = self._live.get(session_id)
        record = live.record if live is not None else await self.store.session(self.tenant, session_id)
        if not record.is_token(token):
            raise _wrong_token()
        return live.log if live is not None else self._ended_log(record)

    async def get(self, session_id: str, token: str = "") -> SessionSummary:
        """A session as it is now; errors as `watched`, the second only where a token is given."""
        summary, record = await self._found(session_id)
        if token and not record.is_token(token):
            raise _wrong_token()
        return summary

    async def evidence(self, session_id: str) -> Evidence:
        """What verdicts rest on; raises `DomainError`, SESSION_NOT_FOUND."""
        live = self._live.get(session_id)
        if live is not None:
            return live.session.evidence
        return (await self.store.session(self.tenant, session_id)).evidence

    async def cancel(self, session_id: str, token: str = "") -> SessionSummary:
        """Ends a session; errors as `get`, but only the session's own token may."""
        live = self._live.get(session_id)
        if live is None:
            return await self.get(session_id, token)
        if token and not live.record.is_session_token(token):
            raise _wrong_token()
        live.tell(live.session.cancel)
        return live.summary()

    def confirm(self, session_id: str, token: str, *, retake: bool) -> SessionSummary:
        """The person says whether the picture is good; errors as `pushing`, and TRANSITION_REFUSED."""
        live = self.pushing(session_id, token)
        if live.session.over:
            raise DomainError(
                Reason.SESSION_ENDED, "The session is over.", metadata={"state": str(live.state)}
            )
        live.tell(live.session.retake if retake else live.session.confirm)
        return live.summary()

    async def list(
        self, *, states: Sequence[State], reference: str, page_size: int, page_token: str
    ) -> tuple[list[SessionSummary], str]:
        """A page of sessions, the newest first, and the token of the next.

        Raises:
            DomainError: PAGE_TOKEN_INVALID.
        """
        found: list[SessionSummary] = []
        before = page_token
        for _ in range(_MAX_PAGES):
            records = await self.store.page(self.tenant, reference=reference, before=before, limit=page_size)
            for record in records:
                before = record.session_id
                live = self._live.get(before)
                summary = live.summary() if live is not None else record.summary()
                if not states or summary.state in states:
                    found.append(summary)
                if len(found) == page_size:
                    return found, before
            if len(records) < page_size:
                return found, ""
        return found, before

    @property
    def active_count(self) -> int:
        """Sessions whose end was not told yet."""
        return len(self._active)

    def sessions(self) -> Iterable[LiveSession]:
        """Those in memory."""
        return self._live.values()

    def totals(self) -> Totals:
        """Everything counted since the start, all sessions together."""
        gone = self._gone
        totals = replace(gone, frames=gone.frames.copy(), dropped=Counter(gone.dropped))
        for live in tuple(self._live.values()):  # the exporter asks from its own thread
            totals.add(live)
        return totals

    def statistics(self) -> CaptureStatistics:
        """The numbers as they are now."""
        totals = self.totals()
        return CaptureStatistics(
            sessions=len(self._live),
            active_sessions=len(self._active),
            created=self._created,
            frames_received=totals.frames.received,
            frames_processed=totals.frames.processed,
            frames_superseded=totals.frames.superseded,
            frames_refused=totals.frames.refused.total(),
            events=totals.events,
            delivered=totals.delivered,
            watchers=sum(live.log.statistics().subscribers for live in tuple(self._live.values())),
            conflated=totals.conflated,
        )

    def tick(self) -> None:
        """Lets time pass for every session."""
        now = self._now()
        for live in tuple(self._live.values()):
            if not live.session.over:
                effects = live.session.tick(now)
                if effects.events:
                    live.apply(effects)

    async def sweep(self) -> None:
        """Lets go of sessions that ended long enough ago."""
        before_s = self._clock.monotonic() - self.settings.ended_kept_s
        for live in [one for one in self._live.values() if one.ended_s is not None]:
            if live.ended_s is not None and live.ended_s <= before_s:
                self._gone.add(live)
                await self._forget(live)

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now())

    def _add(self, session: CaptureSession, record: SessionRecord) -> LiveSession:
        log = SessionLog(
            self.tenant,
            record.session_id,
            life=record.life,
            capacity=self.settings.log_events,
            ring=self._ring,
            clock=self._clock,
        )
        live = self._live[record.session_id] = LiveSession(session, record, log, self._around)
        self._active.add(record.session_id)
        return live

    async def _forget(self, live: LiveSession) -> None:
        del self._live[live.record.session_id]
        self._active.discard(live.record.session_id)
        await live.log.__aexit__(None, None, None)

    async def _take_up(self, record: SessionRecord) -> None:
        """Goes on with a session of an earlier process: in a new epoch of its log."""
        record = replace(record, life=record.life + 1)
        now = self._now()
        session = CaptureSession(
            record.session_id,
            record.plan,
            self._rules,
            begin=now,
            expire_time=record.expire_time,
            choose=self._choose,
        )
        session.frames = record.frames.copy()
        # Before anybody is told a cursor of this life.
        await self.store.save(record)
        live = self._add(session, record)
        live.apply(session.resume(record.restored(), record.create_time, now))

    async def _found(self, session_id: str) -> tuple[SessionSummary, SessionRecord]:
        live = self._live.get(session_id)
        if live is not None:
            return live.summary(), live.record
        record = await self.store.session(self.tenant, session_id)
        return record.summary(), record

    def _ended_log(self, record: SessionRecord) -> SessionLog:
        """The log of a session that is gone from memory: nothing but its end, in an epoch of its own."""
        log = SessionLog(
            self.tenant,
            record.session_id,
            life=record.life + 1,
            capacity=64,
            ring=self._ring,
            clock=self._clock,
        )

        def encode(stamp: Stamp) -> bytes:
            place = EventPlace(record.session_id, stamp, None, None, 0.0, record.plan.language)
            return self._encoders.event(SessionEnded(record.summary()), place)

        log.append([encode])
        log.end()
        return log

    def _snapshot(self) -> Iterable[Encode]:
        return [partial(self._encoders.snapshot, live.summary()) for live in self._live.values()]

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error("work of a session failed", exc_info=error)

    async def _let_time_pass(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self.tick()
                await self.sweep()
            except Exception as error:  # one session's defect must not stop the time of all
                self._logger.error("a tick failed", exc_info=error)

    async def _purge(self) -> None:
        while True:
            now = self._clock.now()
            try:
                await self.store.purge(
                    ended_before=now - timedelta(seconds=self.settings.retention_s), now=now
                )
            except DomainError as error:
                self._logger.warning("old sessions stay", reason=error.reason)
            await asyncio.sleep(_PURGE_S)


def _wrong_token() -> DomainError:
    return DomainError(Reason.SESSION_TOKEN_INVALID, "The token is not one of this session.")
