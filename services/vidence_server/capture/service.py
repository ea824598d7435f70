"""The capture service: makes sessions, finds them, and lets them go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

from vidence_server.capture.book import SessionBook
from vidence_server.capture.crew import TaskCrew
from vidence_server.capture.domain.plan import Moment, Rules, SessionPlan
from vidence_server.capture.domain.results import Evidence, SessionSummary
from vidence_server.capture.domain.session import CaptureSession
from vidence_server.capture.domain.states import State
from vidence_server.capture.feed import Encode, SessionLog, SessionsFeed
from vidence_server.capture.frames import Fate, IncomingFrame
from vidence_server.capture.kept_logs import ended_log, feed_log
from vidence_server.capture.live import LiveSession, Surroundings
from vidence_server.capture.numbers import CreatedSession, Encoders
from vidence_server.capture.passing_time import let_time_pass, purge
from vidence_server.capture.record import SessionRecord, new_record
from vidence_server.capture.settings import CaptureSettings
from vidence_server.capture.store import SessionStore
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory

_MAX_PAGES = 20


@dataclass(frozen=True, slots=True)
class Outside:
    """What a service takes from outside: time, names, luck."""

    clock: Clock
    ids: IdFactory
    random_token: Callable[[], str]
    """Makes a token that nobody can guess."""
    choose: Callable[[int], int]
    """Gives a random number from 0 to its argument, exclusive."""


class CaptureService:
    """All sessions of one tenant of this process, from the beginning of its context to the end.

    Bounds: those of its `SessionBook`. Work of sessions runs in tasks that belong to this context.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        rules: Rules,
        store: SessionStore,
        encoders: Encoders,
        around: Callable[[CaptureService], Surroundings],
        *,
        outside: Outside,
        tenant: str = "default",
    ) -> None:
        """A service at rest.

        Args:
            settings: Its limits.
            rules: By which sessions decide.
            store: Keeps sessions.
            encoders: Make events.
            around: Makes what all sessions share, of this service.
            outside: Time, names, luck.
            tenant: Whose sessions they are.
        """
        self.settings = settings
        self.tenant = tenant
        self.store = store
        self.book = SessionBook(settings, clock=outside.clock)
        self._rules = rules
        self._encoders = encoders
        self._outside = outside
        self._clock = outside.clock
        self._stack = AsyncExitStack()
        self._crew = TaskCrew()
        self.spawn = self._crew.spawn
        """Runs work in a task that ends with this context."""
        self.feed = SessionsFeed(
            feed_log(tenant, settings.max_sessions, outside.clock),
            self._snapshot,
            lambda count: partial(encoders.snapshot_complete, count),
        )
        self._around = around(self)

    async def __aenter__(self) -> Self:
        """Takes up what an earlier process left, then lets time pass.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        await self._stack.enter_async_context(self.feed.log)
        for record in await self.store.open_sessions(self.tenant):
            await self._take_up(record)
        self.spawn(let_time_pass(self.book))
        self.spawn(purge(self.store, self._clock, self.settings.retention_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all work and all watching; sessions go on with the next process."""
        await self._crew.end()
        await self.book.close()
        await self._stack.aclose()

    def has(self, session_id: str) -> bool:
        """Whether a session is in memory."""
        return self.book.get(session_id) is not None

    def changed(self, live: LiveSession) -> None:
        """Tells those who watch all sessions that one is another than before."""
        if live.session.over:
            self.book.ended(live)
        self.feed.changed(partial(self._encoders.changed, live.summary()))

    async def create(self, plan: SessionPlan, ttl_s: float | None = None) -> CreatedSession:
        """Makes a session that waits for frames.

        Raises:
            DomainError: SESSION_LIMIT, STORAGE_FULL, STORAGE_FAILED.
        """
        self.book.check_room()
        session_token, watch_token = self._outside.random_token(), self._outside.random_token()
        now = self._now()
        expire_time = now.time + timedelta(seconds=ttl_s or self.settings.session_ttl_s)
        session = self._session(self._outside.ids.new("ses"), plan, now, expire_time)
        record = new_record(self.tenant, session, session_token, watch_token)
        live = self.book.add(session, record, self._around)
        try:
            await self.store.add(record)
        except BaseException:
            await self.book.forget(live)
            raise
        self.book.count_created()
        live.apply(session.start(self._now()))
        return CreatedSession(session.summary(), session_token, watch_token)

    def pushing(self, session_id: str, token: str) -> LiveSession:
        """The session that a token may push to.

        Raises:
            DomainError: SESSION_NOT_FOUND, SESSION_TOKEN_INVALID, SESSION_ENDED.
        """
        live = self.book.get(session_id)
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
        live = self.book.get(session_id)
        record = live.record if live is not None else await self.store.session(self.tenant, session_id)
        if not record.is_token(token):
            raise _wrong_token()
        return live.log if live is not None else self._end_of(record)

    async def get(self, session_id: str, token: str = "") -> SessionSummary:
        """A session as it is now; errors as `watched`, the second only where a token is given."""
        summary, record = await self._found(session_id)
        if token and not record.is_token(token):
            raise _wrong_token()
        return summary

    async def check_token(self, session_id: str, token: str) -> None:
        """Raises as `watched`; where a picture is of no session, no token is one of it."""
        if not session_id:
            raise _wrong_token()
        await self.get(session_id, token)

    async def evidence(self, session_id: str) -> Evidence:
        """What verdicts rest on; raises `DomainError`, SESSION_NOT_FOUND."""
        live = self.book.get(session_id)
        if live is not None:
            return live.session.evidence
        return (await self.store.session(self.tenant, session_id)).evidence

    async def cancel(self, session_id: str, token: str = "") -> SessionSummary:
        """Ends a session; errors as `get`, but only the session's own token may."""
        live = self.book.get(session_id)
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
                live = self.book.get(before)
                summary = live.summary() if live is not None else record.summary()
                if not states or summary.state in states:
                    found.append(summary)
                if len(found) == page_size:
                    return found, before
            if len(records) < page_size:
                return found, ""
        return found, before

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now())

    def _session(
        self, session_id: str, plan: SessionPlan, now: Moment, expire_time: datetime
    ) -> CaptureSession:
        return CaptureSession(
            session_id, plan, self._rules, begin=now, expire_time=expire_time, choose=self._outside.choose
        )

    async def _take_up(self, record: SessionRecord) -> None:
        """Goes on with a session of an earlier process: in a new epoch of its log."""
        record = replace(record, life=record.life + 1)
        now = self._now()
        session = self._session(record.session_id, record.plan, now, record.expire_time)
        session.frames = record.frames.copy()
        # Before anybody is told a cursor of this life.
        await self.store.save(record)
        live = self.book.add(session, record, self._around)
        live.apply(session.resume(record.restored(), record.create_time, now))

    async def _found(self, session_id: str) -> tuple[SessionSummary, SessionRecord]:
        live = self.book.get(session_id)
        if live is not None:
            return live.summary(), live.record
        record = await self.store.session(self.tenant, session_id)
        return record.summary(), record

    def _end_of(self, record: SessionRecord) -> SessionLog:
        return ended_log(record, self._encoders.event, self.book.ring, self._clock)

    def _snapshot(self) -> Iterable[Encode]:
        return [partial(self._encoders.snapshot, live.summary()) for live in self.book]


def _wrong_token() -> DomainError:
    return DomainError(Reason.SESSION_TOKEN_INVALID, "The token is not one of this session.")
