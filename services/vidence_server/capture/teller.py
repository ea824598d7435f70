"""Tells the steps of one session: in their order, each once what must survive of it is written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.events import SessionEvent
from vidence_server.capture.domain.states import Target
from vidence_server.capture.feed import SessionLog, Stamp
from vidence_server.capture.frames import FrameTiming
from vidence_server.capture.record import SessionRecord
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError

_SAVE_ATTEMPTS = 3
_SAVE_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class EventPlace:
    """What is told with every event."""

    session_id: str
    stamp: Stamp
    target: Target | None
    timing: FrameTiming | None
    total_s: float
    """From the receipt of the frame to now, s; 0 without a frame."""
    language: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of the session asks for, until its events are told."""

    effects: Effects
    timing: FrameTiming | None
    target: Target | None
    record: SessionRecord | None
    """To be written before the events are told."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What all tellers of a server share."""

    clock: Clock
    save: Callable[[SessionRecord], Coroutine[Any, Any, None]]
    encode: Callable[[SessionEvent, EventPlace], bytes]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Runs work in a task that somebody owns."""


class StepTeller:
    """Puts the events of steps into the log of one session.

    Steps wait only while something that must survive is being written; the session bounds them: it makes no
    step without a frame, a tick or a call.
    """

    def __init__(
        self, log: SessionLog, session_id: str, language: str, around: Telling, told: Callable[[Step], None]
    ) -> None:
        """A teller.

        Args:
            log: Gets the events.
            session_id: Whose they are.
            language: Of the guidance.
            around: What all tellers share.
            told: Called with each step after its events are in the log.
        """
        self._log = log
        self._session_id = session_id
        self._language = language
        self._around = around
        self._told = told
        self._steps: deque[Step] = deque()  # bound: see the class
        self._saving = False
        self._logger = structlog.get_logger(__name__)

    def tell(self, step: Step) -> None:
        """Tells a step, now or when those before it are told and written."""
        self._steps.append(step)
        self._drain()

    def _drain(self) -> None:
        """Tells steps in their order; stops at one that is being written."""
        while self._steps and not self._saving:
            step = self._steps[0]
            if step.record is not None:
                self._saving = True
                self._around.spawn(self._save(step.record))
                return
            self._publish(self._steps.popleft())

    async def _save(self, record: SessionRecord) -> None:
        """Writes what must survive, then tells the step; where the disk fails for long, tells it anyway.

        A process that ends meanwhile tells nothing: what is not told is not missed.
        """
        for attempt in range(_SAVE_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_SAVE_PAUSE_S)
            try:
                await self._around.save(record)
                break
            except DomainError as error:
                self._logger.warning("session not saved", session_id=self._session_id, reason=error.reason)
        self._saving = False
        self._publish(self._steps.popleft())
        self._drain()

    def _publish(self, step: Step) -> None:
        self._log.append([partial(self._encoded, event, step) for event in step.effects.events])
        if step.effects.ended:
            self._log.end()
        self._told(step)

    def _encoded(self, event: SessionEvent, step: Step, stamp: Stamp) -> bytes:
        timing = step.timing
        place = EventPlace(
            session_id=self._session_id,
            stamp=stamp,
            target=step.target,
            timing=timing,
            total_s=0.0 if timing is None else self._around.clock.monotonic() - timing.receive_s,
            language=self._language,
        )
        return self._around.encode(event, place)
