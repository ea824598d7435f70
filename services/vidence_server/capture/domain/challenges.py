"""Active liveness: movements that a person is asked for, in an order nobody could have recorded before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from vidence_server.capture.domain.measurement import Measurement, Pose


class Challenge(StrEnum):
    """What a person can be asked to do."""

    TURN_LEFT = "TURN_LEFT"
    TURN_RIGHT = "TURN_RIGHT"
    LOOK_UP = "LOOK_UP"
    BLINK = "BLINK"


@dataclass(frozen=True, slots=True)
class ChallengeRule:
    """When a challenge is met."""

    time_limit_s: float = 6.0
    turn_deg: float = 18.0
    """Turn to the side, against the pose in which the picture was taken."""
    up_deg: float = 12.0
    """The same upwards."""
    neutral_deg: float = 9.0
    """Within this a head looks straight on."""
    closed_below: float = 0.35
    """Probability of an open eye below which it is closed."""
    open_above: float = 0.65
    """The same above which it is open."""
    frames: int = 2
    """Frames in a row that must show a movement; a blink is shorter and needs one."""
    wrong_frames: int = 3
    """Frames in a row of the opposite movement that fail it."""


class Progress(StrEnum):
    """How a challenge stands."""

    PENDING = "PENDING"
    MET = "MET"
    TIMEOUT = "timeout"
    OTHER_MOVEMENT = "other_movement"


def draw(count: int, choose: Callable[[int], int]) -> tuple[Challenge, ...]:
    """A random sequence in which no challenge follows itself.

    Args:
        count: How many.
        choose: Gives a random number from 0 to its argument, exclusive.
    """
    drawn: list[Challenge] = []
    for _ in range(count):
        others = [one for one in Challenge if not drawn or one is not drawn[-1]]
        drawn.append(others[choose(len(others))])
    return tuple(drawn)


class ChallengeRun:
    """One challenge from its asking to its end."""

    def __init__(self, challenge: Challenge, rule: ChallengeRule, neutral: Pose, begin_s: float) -> None:
        self.challenge = challenge
        self.begin_s = begin_s
        self._rule = rule
        self._neutral = neutral
        self._shown = 0
        self._wrong = 0
        self._was_neutral = False
        self._was_closed = False

    def observe(self, seen: Measurement, now_s: float) -> Progress:
        """Takes a frame with one face."""
        if self.late(now_s):
            return Progress.TIMEOUT
        if self.challenge is Challenge.BLINK:
            return self._blink(seen.eyes_open)
        if seen.pose is None:
            return Progress.PENDING
        return self._turn(self._towards(seen.pose), seen.pose)

    def late(self, now_s: float) -> bool:
        """Whether the time for it is over."""
        return now_s - self.begin_s >= self._rule.time_limit_s

    def _blink(self, eyes_open: float | None) -> Progress:
        if eyes_open is None:
            return Progress.PENDING
        if eyes_open > self._rule.open_above:
            if self._was_closed:
                return Progress.MET
            self._was_neutral = True
        # Only eyes that were seen open can be closed.
        self._was_closed = self._was_closed or (self._was_neutral and eyes_open < self._rule.closed_below)
        return Progress.PENDING

    def _turn(self, towards_deg: float, pose: Pose) -> Progress:
        asked_deg = self._rule.up_deg if self.challenge is Challenge.LOOK_UP else self._rule.turn_deg
        self._was_neutral = self._was_neutral or self._is_neutral(pose)
        # A head may still be where the challenge before had asked for it: it must come back first.
        self._shown = self._shown + 1 if self._was_neutral and towards_deg >= asked_deg else 0
        self._wrong = self._wrong + 1 if self._was_neutral and towards_deg <= -asked_deg else 0
        if self._shown >= self._rule.frames:
            return Progress.MET
        return Progress.OTHER_MOVEMENT if self._wrong >= self._rule.wrong_frames else Progress.PENDING

    def _is_neutral(self, pose: Pose) -> bool:
        return (
            max(abs(pose.yaw_deg - self._neutral.yaw_deg), abs(pose.pitch_deg - self._neutral.pitch_deg))
            <= self._rule.neutral_deg
        )

    def _towards(self, pose: Pose) -> float:
        """How far the head is turned the way that is asked, deg."""
        match self.challenge:
            case Challenge.TURN_LEFT:
                return pose.yaw_deg - self._neutral.yaw_deg
            case Challenge.TURN_RIGHT:
                return self._neutral.yaw_deg - pose.yaw_deg
            case _:
                return pose.pitch_deg - self._neutral.pitch_deg
