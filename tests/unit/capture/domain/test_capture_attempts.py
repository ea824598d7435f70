"""Attempts of a session: rejected, confirmed, and shown to be live."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.capture_session import Rehearsal
from vidence_server.capture.domain import events as ev
from vidence_server.capture.domain.states import Failure, Guard, State, Trigger
from vidence_server.core.errors import DomainError, Reason

S = State


@pytest.mark.requirement("R-CA7")
def test_passive_liveness_waits_for_its_frames_and_tells_no_score() -> None:
    one = Rehearsal.of(passive_liveness=True)
    one.see_until(S.COUNTDOWN)  # frames that were not looked at for liveness
    for _ in range(4):
        one.see(liveness=0.9)
    assert one.state is S.COUNTDOWN
    refused = [e for e in one.of_kind(ev.TransitionTried) if e.trigger is Trigger.ELAPSED]
    assert refused
    assert refused[-1].guards[-1].guard is Guard.LIVENESS_FRAMES
    one.see_until(S.COMPLETED, liveness=0.9)
    assert one.of_kind(ev.LivenessDecided) == [ev.LivenessDecided(True, "passive")]
    assert one.session.summary().liveness_passed is True
    assert one.session.evidence.passive[0].mean == pytest.approx(0.9)


@pytest.mark.requirement("R-CA7")
def test_challenges_are_met_one_after_the_other() -> None:
    one = Rehearsal.of(challenge_count=2, choose=lambda count: count - 1)  # BLINK, then LOOK_UP
    one.see_until(S.CHALLENGE)
    assert one.session.summary().liveness_passed is None
    one.see()  # eyes that are open
    one.see(eyes=0.1)
    one.see()
    one.see()  # a head that looks straight on
    one.see(pitch=20.0)
    one.see(pitch=20.0)
    assert one.state is S.COMPLETED
    assert [event.challenge for event in one.of_kind(ev.ChallengeGiven)] == ["BLINK", "LOOK_UP"]
    assert [event.challenge for event in one.of_kind(ev.ChallengeMet)] == ["BLINK", "LOOK_UP"]
    assert one.session.summary().liveness_passed is True
    assert "blink" in one.advice()


@pytest.mark.requirement("R-CA7")
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"yaw": -30.0}, "other_movement"),
        ({"subjects": 0}, "subject_lost"),
        ({"subjects": 2}, "subject_lost"),
    ],
)
def test_a_challenge_that_is_not_met_costs_an_attempt(said: dict[str, Any], reason: str) -> None:
    one = Rehearsal.of(challenge_count=1, rules={"max_attempts": 2})
    one.see_until(S.CHALLENGE)  # TURN_LEFT
    one.see()
    one.see_until(S.SEARCHING, **said)
    assert one.of_kind(ev.ChallengeFailed)[-1].reason == reason
    assert one.session.rejected == 1
    one.see_until(S.CHALLENGE)
    one.wait(6.1)
    assert one.state is S.FAILED
    assert one.of_kind(ev.ChallengeFailed)[-1].reason == "timeout"
    assert one.session.summary().failure is Failure.LIVENESS_FAILED
    assert one.session.summary().liveness_passed is False


def test_a_camera_that_stops_during_a_challenge_fails_it() -> None:
    one = Rehearsal.of(challenge_count=1)
    one.see_until(S.CHALLENGE)
    one.wait(1.6)
    assert [event.reason for event in one.of_kind(ev.ChallengeFailed)] == ["stalled"]


@pytest.mark.requirement("R-CA7")
def test_signs_of_a_replay_end_a_session_that_asks_for_liveness() -> None:
    def replayed(one: Rehearsal) -> Rehearsal:
        one.session.replay.check(1, None, "a")
        for _ in range(3):
            with pytest.raises(DomainError) as caught:
                one.session.replay.check(0, None, "a")
            one.take(one.session.refuse(caught.value, one.now))
        return one

    suspected = replayed(Rehearsal.of(passive_liveness=True))
    assert suspected.state is S.FAILED
    assert suspected.session.summary().failure is Failure.REPLAY_SUSPECTED
    assert suspected.session.evidence.replay_signs == (("frames_repeat", 3),)
    assert replayed(Rehearsal.of()).state is S.SEARCHING


@pytest.mark.requirement("R-CA10")
def test_as_many_rejected_pictures_as_may_be_end_a_session() -> None:
    one = Rehearsal.of(passive_liveness=True, rules={"max_attempts": 2})
    one.see_until(S.CAPTURED, liveness=0.2, store=False)
    one.store()
    assert one.session.rejected == 1
    assert one.of_kind(ev.Warned)[-1] == ev.Warned("attempts_left", 1)
    one.see_until(S.CAPTURED, liveness=0.2, store=False)
    one.store()
    assert one.state is S.FAILED
    assert one.session.summary().failure is Failure.LIVENESS_FAILED
    assert [event.passed for event in one.of_kind(ev.LivenessDecided)] == [False, False]
    assert len(one.session.evidence.passive) == 2


@pytest.mark.requirement("R-CA2")
def test_a_person_may_want_another_picture() -> None:
    one = Rehearsal.of(confirm_by_person=True)
    one.see_until(S.CAPTURED)
    assert one.advice()[-1] == "confirm_picture"
    one.take(one.session.retake(one.now))
    assert one.changes()[-1] == (S.CAPTURED, S.SEARCHING, "retake")
    one.see_until(S.CAPTURED)
    one.take(one.session.confirm(one.now))
    assert one.state is S.COMPLETED


def test_what_cannot_be_confirmed_is_an_attempt_that_is_told_and_refused() -> None:
    one = Rehearsal.of(confirm_by_person=True)
    one.see()
    for step in (one.session.confirm, one.session.retake):
        one.take(step(one.now))
        assert one.effects.refusal is not None
        assert one.effects.refusal.reason is Reason.TRANSITION_REFUSED
        tried = one.of_kind(ev.TransitionTried)[-1]
        assert (tried.accepted, tried.to) == (False, None)


def test_the_last_attempt_cannot_be_taken_again() -> None:
    one = Rehearsal.of(confirm_by_person=True, rules={"max_attempts": 1})
    one.see_until(S.CAPTURED)
    one.take(one.session.retake(one.now))
    assert one.effects.refusal is not None
    assert one.state is S.CAPTURED
    assert one.session.rejected == 0


def test_a_picture_that_cannot_be_stored_costs_an_attempt() -> None:
    one = Rehearsal.of()
    one.see_until(S.CAPTURED, store=False)
    one.take(one.session.not_stored(DomainError(Reason.STORAGE_FULL, "No room."), one.now))
    assert one.state is S.SEARCHING
    assert one.of_kind(ev.Failed)[0].error.reason is Reason.STORAGE_FULL
