"""One session at work: the newest frame, the machine, the log, and what must be kept in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.events import GuidanceGiven, SessionStarted, StateChanged
from vidence_server.capture.domain.plan import Moment
from vidence_server.capture.domain.results import CapturedTarget, Evidence, SessionSummary, Verification
from vidence_server.capture.domain.session import CaptureSession
from vidence_server.capture.domain.states import State, Target
from vidence_server.capture.feed import SessionLog
from vidence_server.capture.frames import Fate, FrameTiming, IncomingFrame, Shot, WaitingFrame
from vidence_server.capture.ports import Eyes, Wanted
from vidence_server.capture.pushing import PusherSeat
from vidence_server.capture.record import SessionRecord
from vidence_server.capture.teller import Step, StepTeller, Telling
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.spent_errors import release

_WARN_SUPERSEDED_S = 2.0
_RECENT = 32
_SHOWN_TO_ALL = SessionStarted | StateChanged | GuidanceGiven
"""Events after which those who watch all sessions see another session."""


class Album(Protocol):
    """Keeps captured pictures."""

    async def keep(self, session: SessionRecord, shot: Shot) -> CapturedTarget:
        """Develops and stores a picture; raises `DomainError`."""
        ...


class Afterwards(Protocol):
    """What is done when all pictures stand."""

    async def process(self, live: LiveSession) -> tuple[Verification | None, Evidence]:
        """Reads and compares, and tells parts of it by `live.tell`; never raises `DomainError`."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a server share."""

    clock: Clock
    eyes: Eyes
    album: Album
    afterwards: Afterwards
    telling: Telling
    changed: Callable[[LiveSession], None]
    """Hears that the state of a session, or its guidance, changed."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Runs work in a task that somebody owns."""
    max_frame_bytes: int
    max_frame_pixels: int


class LiveSession:
    """Runs one `CaptureSession`. Belongs to one event loop.

    Bounds: one frame in work and one that waits (overflow policy: the newer one wins), one kept picture,
    the log's limits.
    """

    def __init__(
        self, session: CaptureSession, record: SessionRecord, log: SessionLog, around: Surroundings
    ) -> None:
        self.session = session
        self.log = log
        self.record = record
        self.pusher = PusherSeat()
        """The call that pushes frames now."""
        self.ended_s: float | None = None
        """When it ended, monotonic."""
        self.frame_s: deque[float] = deque(maxlen=_RECENT)
        """From receipt to verdict, of the newest frames."""
        self._around = around
        self._waiting: WaitingFrame | None = None
        self._working = False
        self._kept: Shot | None = None
        self._teller = StepTeller(log, session.session_id, session.plan.language, around.telling, self._told)
        self._superseded_told_s = float("-inf")
        self._log = structlog.get_logger(__name__)

    @property
    def state(self) -> State:
        """Where it is."""
        return self.session.state

    @property
    def idle(self) -> bool:
        """Whether no frame is being looked at or waits."""
        return not self._working

    def summary(self) -> SessionSummary:
        """The session as it is now."""
        return self.session.summary()

    def now(self) -> Moment:
        """The time."""
        return Moment(self._around.clock.monotonic(), self._around.clock.now())

    def offer(self, frame: IncomingFrame) -> asyncio.Future[Fate]:
        """Takes a frame; gives what becomes of it.

        Raises:
            DomainError: SESSION_ENDED, FRAME_OUT_OF_ORDER, FRAME_REPEATED, FRAME_INVALID, IMAGE_TOO_LARGE,
                IMAGE_TOO_MANY_PIXELS; told on the session's stream too, but the first.
        """
        self._check_open()
        session, now = self.session, self.now()
        session.frames.received += 1
        try:
            frame.check(max_bytes=self._around.max_frame_bytes, max_pixels=self._around.max_frame_pixels)
            taken_us = None if frame.capture_time is None else int(frame.capture_time.timestamp() * 1e6)
            number, sign = session.replay.check(frame.number, taken_us, frame.fingerprint())
        except DomainError as error:
            self.apply(session.refuse(error, now))
            raise
        if sign is not None:
            self.apply(session.warn(sign, session.replay.signs[sign], now))
        session.flow.came(now.s)
        waiting = WaitingFrame(frame.picture, number, now.time, now.s, frame.capture_time)
        if not session.looking:
            session.frames.unneeded += not session.over
            waiting.settle(Fate.UNNEEDED)
            return waiting.fate
        self._put(waiting, now)
        return waiting.fate

    def refuse(self, error: DomainError) -> None:
        """A message that holds no frame came from the client."""
        self.session.frames.received += 1
        self.apply(self.session.refuse(error, self.now()))

    def apply(self, effects: Effects, timing: FrameTiming | None = None) -> None:
        """Does what a step asks for; tells its events once what must survive is written.

        Raises:
            DomainError: The refusal of the step; its events are told.
        """
        if effects.forget:
            self._kept = None
        record = None
        if effects.persist:
            record = self.record = self.record.updated(self.session)
        self._teller.tell(Step(effects, timing, self.session.target, record))
        if effects.process:
            self._around.spawn(self._process())
        if effects.refusal is not None:
            raise effects.refusal

    def tick(self) -> None:
        """Lets time pass."""
        if not self.session.over:
            effects = self.session.tick(self.now(), frame_in_work=self._working)
            if effects.events:
                self.apply(effects)

    def tell(self, step: Callable[[Moment], Effects]) -> None:
        """Makes a step of the session now."""
        self.apply(step(self.now()))

    def replace_pusher(self) -> asyncio.Future[DomainError | None]:
        """A call begins to push; the one that pushes now ends. Gives the new one's end.

        Raises:
            DomainError: SESSION_ENDED.
        """
        self._check_open()
        return self.pusher.replace()

    def _check_open(self) -> None:
        if self.session.over:
            raise DomainError(
                Reason.SESSION_ENDED, "The session is over.", metadata={"state": str(self.state)}
            )

    def _put(self, frame: WaitingFrame, now: Moment) -> None:
        """The newest frame wins."""
        frames = self.session.frames
        if self._waiting is not None:
            self._waiting.settle(Fate.SUPERSEDED)
            frames.superseded += 1
            if now.s - self._superseded_told_s >= _WARN_SUPERSEDED_S:
                self._superseded_told_s = now.s
                self.apply(self.session.warn("frames_superseded", frames.superseded, now))
        self._waiting = frame
        if not self._working:
            self._working = True
            self._around.spawn(self._work())

    async def _work(self) -> None:
        """Looks at frames until none waits."""
        try:
            while (frame := self._waiting) is not None:
                self._waiting = None
                try:
                    await self._look(frame)
                except DomainError as error:
                    self._refuse(frame, error)
                except Exception as error:  # noqa: BLE001  # a defect in one frame must not end the others
                    self._log.error("frame failed", session_id=self.session.session_id, exc_info=error)
                    self._refuse(frame, DomainError(Reason.INTERNAL, "The frame could not be looked at."))
        finally:
            self._working = False
            if self._waiting is not None:
                self._waiting.settle(Fate.UNNEEDED)

    def _refuse(self, frame: WaitingFrame, error: DomainError) -> None:
        release(error)  # the frame has it, and its functions have the frame
        if not self.session.over:
            self.apply(self.session.refuse(error, self.now()))
        frame.refuse(error)

    async def _look(self, frame: WaitingFrame) -> None:
        session, target = self.session, self.session.target
        if not session.looking or target is None:
            session.frames.unneeded += 1
            frame.settle(Fate.UNNEEDED)
            return
        begin_s = self._around.clock.monotonic()
        seen = await self._around.eyes.measure(frame.picture, target, self._wanted(target))
        now = self.now()
        timing = FrameTiming(
            number=frame.number,
            receive_time=frame.receive_time,
            receive_s=frame.receive_s,
            queued_s=begin_s - frame.receive_s,
            inference_s=now.s - begin_s,
            capture_time=frame.capture_time,
        )
        if session.target is not target:
            session.frames.unneeded += 1  # it was confirmed, or the session ended, meanwhile
            frame.settle(Fate.UNNEEDED)
            return
        effects = session.observe(seen, frame.number, now)
        score = session.window.best.score if session.window is not None else 0
        self.apply(effects, timing)
        if effects.keep:
            self._kept = Shot(frame.picture, seen, timing, target, score)
        self.frame_s.append(self._around.clock.monotonic() - frame.receive_s)
        frame.settle(Fate.PROCESSED)
        if effects.capture:
            await self._capture(timing)

    def _wanted(self, target: Target) -> Wanted:
        plan, state = self.session.plan, self.session.state
        if target is not Target.FACE:
            return Wanted()
        held = state in {State.LOCKED, State.COUNTDOWN}
        return Wanted(
            liveness=plan.passive_liveness and held,
            movement=plan.challenge_count > 0 and (held or state is State.CHALLENGE),
        )

    async def _capture(self, timing: FrameTiming) -> None:
        """Stores the best picture of the window."""
        shot, self._kept = self._kept, None
        try:
            if shot is None:
                raise DomainError(Reason.INTERNAL, "The picture of the best frame is gone.")
            taken = await self._around.album.keep(self.record, shot)
        except DomainError as error:
            self.apply(self.session.not_stored(error, self.now()), timing)
            return
        self.apply(self.session.stored(taken, self.now()), timing)

    async def _process(self) -> None:
        try:
            verification, evidence = await self._around.afterwards.process(self)
        except Exception as error:  # noqa: BLE001  # a defect after the capture must not leave a session open
            self._log.error("processing failed", session_id=self.session.session_id, exc_info=error)
            verification, evidence = None, self.session.evidence
            failed = DomainError(Reason.INTERNAL, "What was captured could not be read or compared.")
            self.tell(partial(self.session.refuse, failed))
        self.tell(partial(self.session.processed, verification, evidence))

    def _told(self, step: Step) -> None:
        """A step is in the log: whoever watches all sessions, or pushes to one that is over, hears of it."""
        if step.effects.ended:
            self.ended_s = self._around.clock.monotonic()
            self.pusher.end(None)
        if any(isinstance(event, _SHOWN_TO_ALL) for event in step.effects.events):
            self._around.changed(self)
