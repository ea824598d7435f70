"""What the capture service tells about itself, and what it hands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from vidence_server.capture.domain.events import SessionEvent
from vidence_server.capture.domain.results import FrameTally, SessionSummary
from vidence_server.capture.feed import Stamp
from vidence_server.capture.live import LiveSession
from vidence_server.capture.teller import EventPlace


@dataclass(frozen=True, slots=True)
class CreatedSession:
    """A new session and its tokens, which nobody is told again."""

    session: SessionSummary
    session_token: str
    watch_token: str


@dataclass(frozen=True, slots=True)
class CaptureStatistics:
    """The service in numbers. Counters start with the process."""

    sessions: int
    active_sessions: int
    created: int
    frames_received: int
    frames_processed: int
    frames_superseded: int
    frames_refused: int
    events: int
    delivered: int
    watchers: int
    conflated: int


@dataclass(slots=True)
class Totals:
    """What sessions that are gone from memory have counted."""

    frames: FrameTally
    dropped: Counter[str]
    events: int = 0
    delivered: int = 0
    heartbeats: int = 0
    stale_removed: int = 0
    conflated: int = 0
    pushers: int = 0

    def add(self, live: LiveSession) -> None:
        """Adds the numbers of a session."""
        told = live.log.statistics()
        self.frames.add(live.session.frames)
        self.dropped.update(told.dropped)
        self.events += told.broadcast
        self.delivered += told.delivered
        self.heartbeats += told.heartbeats
        self.stale_removed += told.stale_removed
        self.conflated += live.session.conflated
        self.pushers += live.pusher.taken


@dataclass(frozen=True, slots=True)
class Encoders:
    """How the service's own events become bytes."""

    event: Callable[[SessionEvent, EventPlace], bytes]
    snapshot: Callable[[SessionSummary, Stamp], bytes]
    snapshot_complete: Callable[[int, Stamp], bytes]
    changed: Callable[[SessionSummary, Stamp], bytes]
