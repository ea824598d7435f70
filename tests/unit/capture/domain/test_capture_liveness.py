"""Challenges, replays, verification: the parts of a judgement."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from fakes.capture_session import frame
from vidence_server.capture.domain.challenges import Challenge, ChallengeRule, ChallengeRun, Progress, draw
from vidence_server.capture.domain.measurement import Measurement, Pose
from vidence_server.capture.domain.replay import (
    CLOCK_NOT_RISING,
    CLOCK_TOO_REGULAR,
    FRAMES_REPEAT,
    ReplayWatch,
)
from vidence_server.capture.domain.results import CheckVerdict, PassiveEvidence, Verification
from vidence_server.capture.domain.verification import FieldFact, Findings, checks
from vidence_server.core.errors import DomainError, Reason

LEFT, RIGHT, UP, NEUTRAL = frame(yaw=25.0), frame(yaw=-25.0), frame(pitch=15.0), frame()
SHUT = frame(eyes=0.1)
HALF = frame(eyes=0.5)


def run(challenge: Challenge, *frames: Measurement) -> Progress:
    one = ChallengeRun(challenge, ChallengeRule(), Pose(2.0, -1.0), 0.0)
    progress = Progress.PENDING
    for index, seen in enumerate(frames):
        progress = one.observe(seen, 0.1 * index)
        if progress is not Progress.PENDING:
            break
    return progress


@pytest.mark.requirement("R-CA7")
@pytest.mark.parametrize(
    ("challenge", "frames", "progress"),
    [
        (Challenge.TURN_LEFT, [NEUTRAL, LEFT, LEFT], Progress.MET),
        (Challenge.TURN_LEFT, [NEUTRAL, LEFT, NEUTRAL, LEFT], Progress.PENDING),
        (Challenge.TURN_LEFT, [LEFT, LEFT, LEFT], Progress.PENDING),
        (Challenge.TURN_LEFT, [NEUTRAL, RIGHT, RIGHT, RIGHT], Progress.OTHER_MOVEMENT),
        (Challenge.TURN_RIGHT, [NEUTRAL, RIGHT, RIGHT], Progress.MET),
        (Challenge.LOOK_UP, [NEUTRAL, UP, UP], Progress.MET),
        (Challenge.BLINK, [NEUTRAL, SHUT, NEUTRAL], Progress.MET),
        (Challenge.BLINK, [NEUTRAL, HALF, NEUTRAL], Progress.PENDING),
        (Challenge.BLINK, [SHUT, NEUTRAL], Progress.PENDING),
        (Challenge.BLINK, [NEUTRAL] * 70, Progress.TIMEOUT),
    ],
)
def test_a_challenge_is_met_by_what_it_asks_for_only(
    challenge: Challenge, frames: list[Measurement], progress: Progress
) -> None:
    assert run(challenge, *frames) is progress


def test_frames_without_pose_or_eyes_change_nothing() -> None:
    blind = Measurement(640, 480, 1)
    assert run(Challenge.TURN_LEFT, blind, blind) is Progress.PENDING
    assert run(Challenge.BLINK, blind, blind) is Progress.PENDING


@pytest.mark.requirement("R-CA7")
def test_no_challenge_follows_itself() -> None:
    numbers = iter([0, 0, 0, 2])
    drawn = draw(4, lambda count: min(next(numbers), count - 1))
    assert all(one is not other for one, other in pairwise(drawn))
    assert len(drawn) == 4


@pytest.mark.requirement("R-CA7")
def test_frames_out_of_order_and_repeated_are_refused_and_remembered() -> None:
    watch = ReplayWatch()
    assert watch.check(5, 1_000, "a") == (5, None)
    for number, time_us, sha, reason in (
        (5, 2_000, "b", Reason.FRAME_OUT_OF_ORDER),
        (6, 1_000, "b", Reason.FRAME_OUT_OF_ORDER),
        (6, 2_000, "a", Reason.FRAME_REPEATED),
    ):
        with pytest.raises(DomainError) as caught:
            watch.check(number, time_us, sha)
        assert caught.value.reason is reason
    assert watch.check(0, 3_000, "c") == (6, None)
    assert watch.signs == {CLOCK_NOT_RISING: 1, FRAMES_REPEAT: 1}


@pytest.mark.requirement("R-CA7")
@pytest.mark.parametrize(("length", "taken"), [(8, 8), (16, 16), (17, 200), (64, 200)])
def test_a_short_loop_is_refused_and_a_long_one_is_not_noticed_by_its_bytes(length: int, taken: int) -> None:
    watch, refused = ReplayWatch(), []
    for number in range(1, 201):
        try:
            watch.check(number, None, f"frame {number % length}")
        except DomainError as error:
            refused.append(error.reason)
    assert refused == [Reason.FRAME_REPEATED] * (200 - taken)


@pytest.mark.requirement("R-CA7")
def test_a_rhythm_that_no_camera_has_is_a_sign() -> None:
    watch = ReplayWatch()
    signs = [watch.check(0, 33_333 * index, str(index))[1] for index in range(1, 60)]
    assert [sign for sign in signs if sign] == [CLOCK_TOO_REGULAR, CLOCK_TOO_REGULAR]
    honest = ReplayWatch()
    jitter = [33_333 * index + index % 7 for index in range(1, 60)]
    assert not any(honest.check(0, time, str(time))[1] for time in jitter)


def test_without_times_there_is_no_rhythm() -> None:
    watch = ReplayWatch()
    assert not any(watch.check(0, None, str(index))[1] for index in range(60))


def test_a_frame_may_come_again_much_later() -> None:
    watch = ReplayWatch()
    for index in range(17):
        watch.check(0, None, str(index))
    assert watch.check(0, None, "0") == (18, None)


def findings(**known: object) -> Findings:
    facts: dict[str, object] = {
        "fields": (
            FieldFact("document.number", "L898902C3", "MRZ", valid=True),
            FieldFact("document.expiry_date", "2030-01-01", "MRZ", valid=True),
        ),
        "same_person": True,
        "portrait_detail": "",
        "liveness_asked": False,
        "liveness_passed": None,
        "today": date(2026, 5, 4),
        **known,
    }
    return Findings(**facts)  # type: ignore[arg-type]  # by name


@pytest.mark.requirement("R-CA8")
@pytest.mark.parametrize(
    ("known", "name", "verdict", "detail"),
    [
        ({}, "portrait_match", "PASSED", "ok"),
        ({"same_person": False}, "portrait_match", "FAILED", "different"),
        (
            {"same_person": None, "portrait_detail": "no_portrait"},
            "portrait_match",
            "UNDECIDED",
            "no_portrait",
        ),
        ({}, "document_expiry", "PASSED", "ok"),
        ({"today": date(2030, 1, 1)}, "document_expiry", "PASSED", "ok"),
        ({"today": date(2030, 1, 2)}, "document_expiry", "FAILED", "expired"),
        ({"fields": None}, "document_expiry", "UNDECIDED", "not_read"),
        ({}, "document_checks", "PASSED", "ok"),
        (
            {"fields": (FieldFact("document.number", "1", "MRZ", valid=False),)},
            "document_checks",
            "FAILED",
            "check_failed",
        ),
        ({"fields": (FieldFact("a", "1", "MRZ", valid=None),)}, "document_checks", "UNDECIDED", "not_read"),
        (
            {"fields": (FieldFact("a", "Ab", "MRZ", valid=None), FieldFact("a", "aB", "VISUAL", valid=None))},
            "zone_match",
            "PASSED",
            "ok",
        ),
        (
            {"fields": (FieldFact("a", "1", "MRZ", valid=None), FieldFact("a", "2", "VISUAL", valid=None))},
            "zone_match",
            "FAILED",
            "different",
        ),
        ({"liveness_asked": True, "liveness_passed": True}, "liveness", "PASSED", "ok"),
        ({"liveness_asked": True, "liveness_passed": None}, "liveness", "FAILED", "check_failed"),
    ],
)
def test_each_check_says_what_holds_and_why(
    known: dict[str, object], name: str, verdict: str, detail: str
) -> None:
    found = {check.name: check for check in checks(findings(**known))}
    assert (found[name].verdict, found[name].detail) == (verdict, detail)


@pytest.mark.requirement("R-CA8")
def test_a_verification_passes_only_when_every_check_does() -> None:
    assert Verification(checks(findings()), (), ()).verdict is CheckVerdict.PASSED
    assert Verification(checks(findings(fields=None)), (), ()).verdict is CheckVerdict.UNDECIDED
    assert (
        Verification(checks(findings(same_person=False, fields=None)), (), ()).verdict is CheckVerdict.FAILED
    )


def test_no_scores_pass_nothing() -> None:
    assert not PassiveEvidence((), 0.0).passed
    assert PassiveEvidence((0.6, 0.8), 0.7).passed
