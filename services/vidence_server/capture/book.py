"""The sessions that are in memory, and what they have counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from vidence_server.capture.domain.results import FrameTally
from vidence_server.capture.domain.session import CaptureSession
from vidence_server.capture.feed import SessionLog
from vidence_server.capture.live import LiveSession, Surroundings
from vidence_server.capture.numbers import CaptureStatistics, Totals
from vidence_server.capture.record import SessionRecord
from vidence_server.capture.settings import CaptureSettings
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.ring import RingLimits

_RETRY_S = 5.0


class SessionBook:
    """Holds live sessions, and those that ended a moment ago.

    Bounds: `max_sessions` sessions that are not over (overflow: the next is refused), and those that ended
    within `ended_kept_s`.
    """

    def __init__(self, settings: CaptureSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._live: dict[str, LiveSession] = {}  # bound: see the class
        self._active: set[str] = set()  # those of them whose end was not told yet
        self._gone = Totals(FrameTally(), Counter())
        self._created = 0
        self.ring = RingLimits(max_events=settings.log_events, max_bytes=settings.log_bytes)
        """Of each session's log."""

    def __iter__(self) -> Iterator[LiveSession]:
        """Those in memory; it may change meanwhile."""
        return iter(tuple(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)

    @property
    def active_count(self) -> int:
        """Sessions whose end was not told yet."""
        return len(self._active)

    def get(self, session_id: str) -> LiveSession | None:
        """A session that is in memory."""
        return self._live.get(session_id)

    def check_room(self) -> None:
        """Raises `DomainError`, SESSION_LIMIT, where one more would be too many."""
        if len(self._active) >= self._settings.max_sessions:
            # The end of a session is told a moment after it has ended.
            self._active = {one for one in self._active if not self._live[one].session.over}
        if len(self._active) >= self._settings.max_sessions:
            raise DomainError(
                Reason.SESSION_LIMIT,
                "The service has as many live sessions as it may have.",
                metadata={"limit": str(self._settings.max_sessions)},
                retry_after_s=_RETRY_S,
            )

    def add(self, session: CaptureSession, record: SessionRecord, around: Surroundings) -> LiveSession:
        """Takes a session in."""
        log = SessionLog(
            record.tenant,
            record.session_id,
            life=record.life,
            capacity=self._settings.log_events,
            ring=self.ring,
            clock=self._clock,
        )
        live = self._live[record.session_id] = LiveSession(session, record, log, around)
        self._active.add(record.session_id)
        return live

    def count_created(self) -> None:
        """A new session was stored."""
        self._created += 1

    def ended(self, live: LiveSession) -> None:
        """The end of a session was told."""
        self._active.discard(live.record.session_id)

    async def forget(self, live: LiveSession) -> None:
        """Lets go of one."""
        del self._live[live.record.session_id]
        self._active.discard(live.record.session_id)
        await live.log.__aexit__(None, None, None)

    async def close(self) -> None:
        """Lets go of all; ends what watches them."""
        for live in self:
            await live.log.__aexit__(None, None, None)
        self._live.clear()

    def tick(self) -> None:
        """Lets time pass for every session."""
        for live in self:
            live.tick()

    async def sweep(self) -> None:
        """Lets go of sessions that ended long enough ago."""
        before_s = self._clock.monotonic() - self._settings.ended_kept_s
        for live in self:
            if live.ended_s is not None and live.ended_s <= before_s:
                self._gone.add(live)
                await self.forget(live)

    def totals(self) -> Totals:
        """Everything counted since the start, all sessions together."""
        gone = self._gone
        totals = replace(gone, frames=gone.frames.copy(), dropped=Counter(gone.dropped))
        for live in self:  # a copy: the exporter asks from its own thread
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
            watchers=sum(live.log.statistics().subscribers for live in self),
            conflated=totals.conflated,
        )
