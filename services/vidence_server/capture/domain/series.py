"""The challenges of one attempt at liveness, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from vidence_server.capture.domain.challenges import Challenge, ChallengeRule, ChallengeRun, Progress, draw
from vidence_server.capture.domain.events import ChallengeGiven
from vidence_server.capture.domain.measurement import Measurement, Pose
from vidence_server.capture.domain.results import ChallengeEvidence


class ChallengeSeries:
    """Draws challenges anew for each attempt, gives them and watches them."""

    def __init__(self, count: int, rule: ChallengeRule, choose: Callable[[int], int]) -> None:
        self._count = count
        self._rule = rule
        self._choose = choose
        self._sequence: tuple[Challenge, ...] = ()
        self._neutral = Pose(0.0, 0.0)
        self._run: ChallengeRun | None = None
        self.done = 0
        """Challenges of this attempt that were met."""

    @property
    def current(self) -> Challenge | None:
        """What is asked now."""
        return None if self._run is None else self._run.challenge

    def begin(self, neutral: Pose | None) -> None:
        """A new attempt, with a new sequence; `neutral` is the head as the picture shows it."""
        self._sequence = draw(self._count, self._choose)
        self._neutral = neutral or Pose(0.0, 0.0)
        self.done = 0

    def give(self, now_s: float) -> ChallengeGiven:
        """Asks for the next challenge."""
        challenge = self._sequence[self.done]
        self._run = ChallengeRun(challenge, self._rule, self._neutral, now_s)
        return ChallengeGiven(challenge, self.done + 1, self._count, self._rule.time_limit_s)

    def observe(self, seen: Measurement, now_s: float) -> Progress:
        """Takes a frame with one face."""
        if self._run is None:
            return Progress.PENDING
        return self._run.observe(seen, now_s)

    def late(self, now_s: float) -> bool:
        """Whether the time for the challenge of now is over."""
        return self._run is not None and self._run.late(now_s)

    def end(self, reason: str, now_s: float) -> ChallengeEvidence:
        """The challenge of now is over; `reason` says why it was not met, empty: it was."""
        run = self._run
        if run is None:
            raise RuntimeError("no challenge was given")
        self._run = None
        self.done += not reason
        return ChallengeEvidence(run.challenge, not reason, reason, now_s - run.begin_s)
