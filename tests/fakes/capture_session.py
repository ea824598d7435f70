"""A session without a server: frames, time and decisions go in, names of events come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from vidence_server.capture.domain import events as ev
from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.gates import Gate, Gates
from vidence_server.capture.domain.measurement import Measure, Measurement, Pose
from vidence_server.capture.domain.plan import HoldRule, Moment, Rules, SessionPlan
from vidence_server.capture.domain.results import CapturedTarget, ImageRef
from vidence_server.capture.domain.session import CaptureSession
from vidence_server.capture.domain.states import State, Target
from vidence_server.vision.geometry import Point, Quad

T = TypeVar("T")
BEGIN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FRAME_S = 0.1

_FACE = (
    Gate("presence", 1, 1, guidance_low="show_face", guidance_high="only_one_face"),
    Gate("sharpness", 50, margin=10, guidance_low="too_blurred"),
)
_DOCUMENT = (
    Gate("presence", 1, 1, guidance_low="show_document", guidance_high="only_one_document"),
    Gate("glare", high=0.02, margin=0.01, guidance_high="less_glare"),
    Gate("sharpness", 50, margin=10, guidance_low="too_blurred"),
)
GATES: Gates = {
    Target.FACE: _FACE,
    Target.DOCUMENT_FRONT: _DOCUMENT,
    Target.DOCUMENT_BACK: _DOCUMENT,
}
HOLD = HoldRule(stable_frames=3, stable_s=0.2, max_drift_px=10, countdown_s=0.3)


def frame(
    *,
    subjects: int = 1,
    at: float = 100.0,
    liveness: float | None = None,
    yaw: float = 0.0,
    pitch: float = 0.0,
    eyes: float = 1.0,
    **measures: float,
) -> Measurement:
    """What is seen in a frame; by default everything is right. `measures` by name, sharpness being 90."""
    corners = [Point(at, at), Point(at + 50, at), Point(at + 50, at + 30), Point(at, at + 30)]
    seen = {"sharpness": 90.0, **measures}
    return Measurement(
        width_px=640,
        height_px=480,
        subjects=subjects,
        quad=Quad(*corners) if subjects else None,
        anchors=tuple(corners) if subjects else (),
        measures=tuple(Measure(name, value, "1", round(min(100, value))) for name, value in seen.items())
        if subjects
        else (),
        liveness=liveness,
        pose=Pose(yaw, pitch),
        eyes_open=eyes,
    )


@dataclass
class Rehearsal:
    """Runs a session step by step; keeps everything it told."""

    session: CaptureSession
    now_s: float = 0.0
    number: int = 0
    told: list[ev.SessionEvent] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)

    @classmethod
    def of(
        cls,
        *targets: Target,
        ttl_s: float = 180.0,
        choose: Callable[[int], int] = lambda _: 0,
        rules: dict[str, Any] | None = None,
        **plan: Any,
    ) -> Rehearsal:
        """A session of a plan that has started; its pictures are stored at once."""
        session = CaptureSession(
            "ses_1",
            SessionPlan(targets=targets or (Target.FACE,), **{"hold": HOLD, **plan}),
            replace(Rules(gates=GATES), **(rules or {})),
            begin=Moment(0.0, BEGIN),
            expire_time=BEGIN + timedelta(seconds=ttl_s),
            choose=choose,
        )
        rehearsal = cls(session)
        rehearsal.take(session.start(rehearsal.now))
        return rehearsal

    @property
    def now(self) -> Moment:
        return Moment(self.now_s, BEGIN + timedelta(seconds=self.now_s))

    @property
    def state(self) -> State:
        return self.session.state

    def take(self, effects: Effects) -> list[ev.SessionEvent]:
        self.effects = effects
        self.told += effects.events
        return list(effects.events)

    def see(
        self, seen: Measurement | None = None, *, store: bool = True, **said: Any
    ) -> list[ev.SessionEvent]:
        """The next frame, a tenth of a second later; a picture that is taken is stored."""
        self.now_s += FRAME_S
        self.number += 1
        events = self.take(self.session.observe(seen or frame(**said), self.number, self.now))
        if self.effects.capture and store:
            events += self.store()
        return events

    def store(self) -> list[ev.SessionEvent]:
        return self.take(self.session.stored(captured(self.session.target or Target.FACE), self.now))

    def see_until(self, state: State, *, limit: int = 100, **said: Any) -> list[ev.SessionEvent]:
        """Frames until the session is in a state."""
        events: list[ev.SessionEvent] = []
        for _ in range(limit):
            events += self.see(**said)
            if self.state is state:
                return events
        raise AssertionError(f"still {self.state}, not {state}")

    def wait(self, seconds: float) -> list[ev.SessionEvent]:
        """Time passes without a frame."""
        self.now_s += seconds
        return self.take(self.session.tick(self.now))

    def of_kind(self, kind: type[T]) -> list[T]:
        return [event for event in self.told if isinstance(event, kind)]

    def changes(self) -> list[tuple[State, State, str]]:
        return [(event.old, event.new, event.reason) for event in self.of_kind(ev.StateChanged)]

    def advice(self) -> list[str]:
        return [event.code for event in self.of_kind(ev.GuidanceGiven)]


def captured(target: Target, number: int = 1) -> CapturedTarget:
    image = ImageRef(f"img_{number}", "0" * 64, "image/jpeg", 640, 480, BEGIN)
    return CapturedTarget(target, image, None, 90, number, BEGIN)
