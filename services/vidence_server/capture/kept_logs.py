"""Logs beside those of live sessions: of all sessions, and of one that is gone from memory."""

from __future__ import annotations

from collections.abc import Callable

from vidence_server.capture.domain.events import SessionEnded, SessionEvent
from vidence_server.capture.feed import SessionLog, Stamp
from vidence_server.capture.record import SessionRecord
from vidence_server.capture.teller import EventPlace
from vidence_server.core.clock import Clock
from vidence_server.streams.ring import RingLimits

_LEAST_FEED = 16_384
_FEED_BYTES = 16 * 2**20
_ENDED_EVENTS = 64


def feed_log(tenant: str, max_sessions: int, clock: Clock) -> SessionLog:
    """That of all sessions; in memory, so each process begins an epoch of it."""
    capacity = max(_LEAST_FEED, 4 * max_sessions)
    return SessionLog(
        tenant,
        "*",
        life=int(clock.now().timestamp() * 1000) & 0xFFFF_FFFF,
        capacity=capacity,
        ring=RingLimits(max_events=capacity, max_bytes=_FEED_BYTES),
        clock=clock,
    )


def ended_log(
    record: SessionRecord,
    encode: Callable[[SessionEvent, EventPlace], bytes],
    ring: RingLimits,
    clock: Clock,
) -> SessionLog:
    """The log of a session that is gone from memory: nothing but its end, in an epoch of its own."""
    log = SessionLog(
        record.tenant,
        record.session_id,
        life=record.life + 1,
        capacity=_ENDED_EVENTS,
        ring=ring,
        clock=clock,
    )

    def end(stamp: Stamp) -> bytes:
        place = EventPlace(record.session_id, stamp, None, None, 0.0, record.plan.language)
        return encode(SessionEnded(record.summary()), place)

    log.append([end])
    log.end()
    return log
