"""The frames between the lock and the capture: how steady they are, and which is the best."""

from __future__ import annotations

from vidence_server.capture.domain.gates import GateReport
from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.results import PassiveEvidence

_MAX_SCORES = 256


class Window:
    """From the frame in which the subject was locked. Holds numbers only; pictures are kept elsewhere."""

    def __init__(self, first: Measurement, begin_s: float) -> None:
        self.begin_s = begin_s
        self.countdown_s: float | None = None
        """When the countdown began; None: it has not."""
        self.frames = 0
        self.best = GateReport((), (), (), "", 0)
        self.best_number = 0
        self.scores: list[float] = []  # bound: _MAX_SCORES, the newest
        """Passive liveness of each frame that was looked at for it."""
        self.latest = first
        self._reference = first

    def drift_px(self, seen: Measurement) -> float:
        """Movement since the lock, px of a picture 640 px wide."""
        return seen.drift_px(self._reference)

    def add(self, seen: Measurement, report: GateReport, number: int) -> bool:
        """Takes a steady frame; whether it is the best so far."""
        self.frames += 1
        self.latest = seen
        if seen.liveness is not None:
            self.scores.append(seen.liveness)
            del self.scores[:-_MAX_SCORES]
        if self.frames > 1 and _rank(report) <= _rank(self.best):
            return False
        self.best, self.best_number = report, number
        return True

    def passive(self, threshold: float) -> PassiveEvidence:
        """What the frames say about liveness."""
        return PassiveEvidence(tuple(self.scores), threshold)


def _rank(report: GateReport) -> tuple[int, int]:
    """The lowest score first: a picture is as good as what is worst about it; then all scores together."""
    return report.score, sum(one.measure.score for one in report.judged if one.verdict is not None)
