"""What was seen in one frame."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.vision.geometry import Point, Quad

PRESENCE = "presence"
"""The measure that counts subjects; every target has it."""
REFERENCE_WIDTH_PX = 640
"""Movements are told in pixels of a picture of this width."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One quality measure of a frame."""

    name: str
    """A name of ISO/IEC 29794-5 in snake_case for faces; `domain.gates` and the docs list them."""
    value: float
    """In `unit`."""
    unit: str
    """`px`, `deg`, `px/mm`, `count`, or `1` where it has none."""
    score: int
    """0 (unusable) to 100."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How a head is turned."""

    yaw_deg: float
    """Above 0: the person turns to their left."""
    pitch_deg: float
    """Above 0: looks up."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was seen in one frame."""

    width_px: int
    height_px: int
    subjects: int
    """How many faces or documents there are."""
    quad: Quad | None = None
    """Where the subject is, px of the frame; None where there is none."""
    anchors: tuple[Point, ...] = ()
    """Points of the subject whose movement counts, always in the same order, px of the frame."""
    measures: tuple[Measure, ...] = ()
    """Of the subject; without `presence`."""
    liveness: float | None = None
    """Passive liveness, 0 (attack) to 1; None where it was not looked at."""
    pose: Pose | None = None
    eyes_open: float | None = None
    """Probability that the less open eye is open, 0–1."""

    @property
    def presence(self) -> Measure:
        """`subjects` as a measure."""
        return Measure(PRESENCE, float(self.subjects), "count", 100 if self.subjects == 1 else 0)

    def drift_px(self, reference: Measurement) -> float:
        """Mean movement of the anchors since `reference`, px of a picture 640 px wide; inf: not the same."""
        if not self.anchors or len(self.anchors) != len(reference.anchors):
            return float("inf")
        moved = [a.distance(b) for a, b in zip(self.anchors, reference.anchors, strict=True)]
        return sum(moved) / len(moved) * REFERENCE_WIDTH_PX / self.width_px
