"""Quality gates: which measures must lie where, in the order in which the person is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vidence_server.capture.domain.measurement import Measure, Measurement
from vidence_server.capture.domain.states import Target


class Verdict(StrEnum):
    """What a gate says of a measure."""

    PASSED = "PASSED"
    TOO_LOW = "TOO_LOW"
    TOO_HIGH = "TOO_HIGH"


@dataclass(frozen=True, slots=True)
class Gate:
    """The range of one measure. Once passed it is left only by more than `margin`: no flicker at the edge."""

    measure: str
    low: float | None = None
    """Least value, in the unit of the measure; None: no bound."""
    high: float | None = None
    """Greatest value; None: no bound."""
    margin: float = 0.0
    """How far a value that had passed may lie outside, in the unit of the measure."""
    by_score: bool = False
    """Whether the bounds are those of the score, 0–100, and not of the value."""
    guidance_low: str = ""
    """What to tell the person when the value is below."""
    guidance_high: str = ""
    """What to tell the person when it is above."""

    def judge(self, measure: Measure, *, passed_before: bool) -> Verdict:
        """The verdict on a measure."""
        value = measure.score if self.by_score else measure.value
        slack = self.margin if passed_before else 0.0
        if self.low is not None and value < self.low - slack:
            return Verdict.TOO_LOW
        if self.high is not None and value > self.high + slack:
            return Verdict.TOO_HIGH
        return Verdict.PASSED

    def guidance(self, verdict: Verdict) -> str:
        """What to tell the person; empty where it passed."""
        match verdict:
            case Verdict.TOO_LOW:
                return self.guidance_low
            case Verdict.TOO_HIGH:
                return self.guidance_high
            case Verdict.PASSED:
                return ""


Gates: TypeAlias = Mapping[Target, tuple[Gate, ...]]
"""The gates of each target, the most important first."""


@dataclass(frozen=True, slots=True)
class JudgedMeasure:
    """A measure and what its gate says."""

    measure: Measure
    verdict: Verdict | None
    """None where no gate looks at it."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gates say of one frame."""

    judged: tuple[JudgedMeasure, ...]
    """Gated measures first, in the order of the gates."""
    changed: tuple[JudgedMeasure, ...]
    """Those whose gate was passed or failed since the frame before; at first, those that fail."""
    failing: tuple[str, ...]
    """Gates that fail, the most important first."""
    guidance: str
    """What to tell the person about the first of them; empty where none fails."""
    score: int
    """The lowest score of the gated measures, 0–100."""

    @property
    def passed(self) -> bool:
        """Whether all gates are passed."""
        return not self.failing


class GateBook:
    """The gates of one target and which of them are passed now."""

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self._gates = gates
        self._passed: dict[str, bool] = {}  # bound: one per gate

    def judge(self, seen: Measurement) -> GateReport:
        """Judges a frame. Gates whose measure was not taken stay as they were, and fail nothing."""
        measures = {measure.name: measure for measure in (seen.presence, *seen.measures)}
        judged: list[JudgedMeasure] = []
        changed: list[JudgedMeasure] = []
        failing: dict[str, str] = {}
        for gate in self._gates:
            measure = measures.pop(gate.measure, None)
            if measure is None:
                continue
            before = self._passed.get(gate.measure)
            verdict = gate.judge(measure, passed_before=before is True)
            judged.append(JudgedMeasure(measure, verdict))
            passed = verdict is Verdict.PASSED
            if before is not passed and not (before is None and passed):
                changed.append(judged[-1])
            self._passed[gate.measure] = passed
            if not passed:
                failing[gate.measure] = gate.guidance(verdict)
        score = min((one.measure.score for one in judged), default=0)
        judged += [JudgedMeasure(measure, None) for measure in measures.values()]
        guidance = next(iter(failing.values()), "")
        return GateReport(tuple(judged), tuple(changed), tuple(failing), guidance, score)
