"""Golden transcripts of single sessions: what is told, in which order, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fakes.capture_session import BEGIN, Rehearsal, captured, frame
from vidence_server.capture.domain import events as ev
from vidence_server.capture.domain.effects import Effects
from vidence_server.capture.domain.plan import Moment
from vidence_server.capture.domain.results import Check, CheckVerdict, Evidence, Verification
from vidence_server.capture.domain.session import CaptureSession, Restored
from vidence_server.capture.domain.states import Guard, State, Target, Trigger
from vidence_server.core.errors import DomainError, Reason

S = State


def to_countdown(**plan: object) -> Rehearsal:
    rehearsal = Rehearsal.of(**plan)  # type: ignore[arg-type]  # the fields of a plan
    rehearsal.see_until(S.COUNTDOWN)
    return rehearsal


@pytest.mark.requirement("R-CA2", "R-CA5")
def test_a_face_that_holds_still_is_captured() -> None:
    one = Rehearsal.of()
    one.see(subjects=0)
    one.see_until(S.COMPLETED)
    assert one.changes() == [
        (S.SEARCHING, S.LOCKED, "subject_ready"),
        (S.LOCKED, S.COUNTDOWN, "steady"),
        (S.COUNTDOWN, S.CAPTURED, "elapsed"),
        (S.CAPTURED, S.CONFIRMED, "confirm"),
        (S.CONFIRMED, S.COMPLETED, "finish"),
    ]
    assert one.advice() == ["show_face", "hold_still", "capturing", "checking", "done"]
    progress = [event.fraction for event in one.of_kind(ev.CaptureProgressed)]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert isinstance(one.told[-1], ev.SessionEnded)
    assert one.effects.ended
    assert one.effects.persist


@pytest.mark.requirement("R-CA4")
@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        ({"at": 120.0}, S.LOCKED, "moved"),
        ({"subjects": 0}, S.SEARCHING, "subject_lost"),
        ({"subjects": 2}, S.SEARCHING, "gate_failed:presence"),
        ({"sharpness": 30.0}, S.SEARCHING, "gate_failed:sharpness"),
    ],
)
def test_the_countdown_is_cancelled_within_one_frame(said: dict[str, Any], state: State, reason: str) -> None:
    one = to_countdown()
    one.see()
    events = one.see(**said)
    assert one.state is state
    assert [event.reason for event in events if isinstance(event, ev.StateChanged)] == [reason]
    one.see_until(S.COMPLETED)
    assert len(one.of_kind(ev.CaptureStarted)) == 2


@pytest.mark.requirement("R-CA4")
def test_a_frame_within_the_allowed_drift_cancels_nothing() -> None:
    one = to_countdown()
    one.see(at=106.0)
    assert one.state is S.COUNTDOWN
    one.see(at=99.0)
    assert one.state in {S.COUNTDOWN, S.COMPLETED}


@pytest.mark.requirement("R-CA4")
def test_glare_on_a_document_cancels_with_its_reason_and_advice() -> None:
    one = Rehearsal.of(Target.DOCUMENT_FRONT)
    one.see_until(S.COUNTDOWN, glare=0.0)
    one.see(glare=0.5)
    assert one.changes()[-1] == (S.COUNTDOWN, S.SEARCHING, "gate_failed:glare")
    assert one.advice()[-1] == "less_glare"


@pytest.mark.requirement("R-CA4")
def test_movement_in_lock_begins_the_hold_anew() -> None:
    one = Rehearsal.of()
    one.see_until(S.LOCKED)
    one.see()
    for place in (150.0, 200.0, 250.0):
        one.see(at=place)
    assert one.state is S.LOCKED
    moved = [e for e in one.of_kind(ev.TransitionTried) if e.trigger is Trigger.MOVED]
    assert [(e.source, e.to, e.accepted) for e in moved] == [(S.LOCKED, S.LOCKED, True)] * 3
    one.see_until(S.COUNTDOWN, at=250.0)


@pytest.mark.requirement("R-CA2")
def test_refused_attempts_are_told_with_their_guards_and_number() -> None:
    one = Rehearsal.of()
    for _ in range(25):
        one.see(sharpness=20.0)
    tried = one.of_kind(ev.TransitionTried)
    assert not any(attempt.accepted for attempt in tried)
    # The first at once, then one a second with the number of those before it: each is told.
    counts = [attempt.attempt_count for attempt in tried]
    assert counts[0] == 1
    assert len(counts) == 3
    guard = tried[0].guards[0]
    assert (guard.guard, guard.passed, guard.failing) == (Guard.GATES_PASSED, False, ("sharpness",))
    one.wait(1.0)
    assert sum(attempt.attempt_count for attempt in one.of_kind(ev.TransitionTried)) == 25


def test_frames_that_stop_let_go_of_the_subject() -> None:
    one = to_countdown()
    one.wait(1.0)
    assert one.state is S.COUNTDOWN
    one.wait(0.6)
    assert one.changes()[-1] == (S.COUNTDOWN, S.SEARCHING, "stalled")
    assert one.effects.forget


@pytest.mark.requirement("R-CA10")
def test_time_runs_out() -> None:
    one = Rehearsal.of(ttl_s=3)
    one.see()
    one.wait(2.0)
    assert not one.session.over
    one.wait(1.0)
    assert one.state is S.EXPIRED
    assert one.advice()[-1] == "expired"
    assert isinstance(one.told[-1], ev.SessionEnded)
    assert one.wait(5.0) == []


@pytest.mark.requirement("R-CA6")
def test_a_session_without_frames_says_so_once() -> None:
    one = Rehearsal.of()
    told = [event for _ in range(6) for event in one.wait(3.0)]
    assert told == [ev.Warned("no_frames")]


@pytest.mark.requirement("R-CA1", "R-CA2")
def test_both_sides_are_captured_one_after_the_other() -> None:
    one = Rehearsal.of(Target.DOCUMENT_FRONT, Target.DOCUMENT_BACK)
    for _ in range(12):
        one.see()
        if len(one.session.captured) == 1:
            break
    assert one.state is S.SEARCHING
    assert one.advice()[-1] == "turn_document"
    assert (S.CONFIRMED, S.SEARCHING, "next_target") in one.changes()
    one.see_until(S.COMPLETED)
    assert [picture.target for picture in one.session.captured] == [
        Target.DOCUMENT_FRONT,
        Target.DOCUMENT_BACK,
    ]


@pytest.mark.requirement("R-CA8")
def test_what_was_found_out_ends_the_session() -> None:
    one = Rehearsal.of(Target.DOCUMENT_FRONT, Target.FACE, verification=True)
    one.see_until(S.PROCESSING)
    assert one.effects.process
    one.take(one.session.read(ev.DocumentRead("extraction_start", b""), one.now))
    found = Verification((Check("portrait_match", CheckVerdict.PASSED, "ok"),), (), ())
    one.take(one.session.processed(found, Evidence(portrait_similarity=0.8), one.now))
    assert one.state is S.COMPLETED
    assert one.of_kind(ev.Verified) == [ev.Verified(found)]
    assert one.session.summary().verification == found
    assert one.take(one.session.read(ev.DocumentRead("extraction_start", b""), one.now)) == []


@pytest.mark.requirement("R-CA5")
def test_the_best_frame_of_the_window_is_kept() -> None:
    one = Rehearsal.of()
    kept = []
    for sharpness in (60, 70, 65, 95, 80, 60, 60, 60, 60, 60):
        one.see(sharpness=float(sharpness), store=False)
        if one.effects.keep:
            kept.append(one.number)
        if one.effects.capture:
            break
    assert kept == [1, 2, 4]
    assert one.session.window is not None
    assert one.session.window.best_number == 4


@pytest.mark.requirement("R-ST6")
def test_quality_is_told_at_most_once_a_period_and_the_newest_at_last() -> None:
    one = Rehearsal.of(rules={"quality_period_s": 0.35})
    for sharpness in range(51, 61):
        one.see(subjects=2, sharpness=float(sharpness))
    assert len(one.of_kind(ev.QualityUpdated)) == 3
    one.wait(0.4)
    newest = one.of_kind(ev.QualityUpdated)[-1]
    assert [m.measure.value for m in newest.measures if m.measure.name == "sharpness"] == [60.0]
    assert one.session.conflated == 6


@pytest.mark.requirement("R-CA6")
def test_advice_stands_long_enough_to_be_followed() -> None:
    one = Rehearsal.of()
    for index in range(12):
        one.see(subjects=1 + index % 2, sharpness=10.0)
    assert one.advice()[:2] == ["show_face", "too_blurred"] or len(one.advice()) <= 4


@pytest.mark.requirement("R-CA10")
def test_a_restart_keeps_confirmed_pictures_and_searches_for_the_rest() -> None:
    first = Rehearsal.of(Target.DOCUMENT_FRONT, Target.DOCUMENT_BACK)
    again = Rehearsal(first.session)
    restored = Restored(S.SEARCHING, (captured(Target.DOCUMENT_FRONT),), 1, Evidence(), None)
    session: CaptureSession = again.session
    effects: Effects = session.resume(restored, again.now.time, again.now)
    again.take(effects)
    start = again.of_kind(ev.SessionStarted)[0]
    assert start.resumed
    assert start.session.target is Target.DOCUMENT_BACK
    assert again.of_kind(ev.TransitionTried)[0].trigger is Trigger.RESTART
    again.see_until(S.COMPLETED)
    assert len(session.captured) == 2


def test_frames_are_not_looked_at_when_none_is_needed() -> None:
    one = Rehearsal.of(confirm_by_person=True)
    one.see_until(S.CAPTURED)
    before = len(one.told)
    one.see()
    assert len(one.told) == before
    assert one.session.frames.unneeded == 1


def test_cancelling_ends_once() -> None:
    one = Rehearsal.of()
    one.take(one.session.cancel(one.now))
    one.take(one.session.cancel(one.now))
    assert one.state is S.CANCELLED
    assert len(one.of_kind(ev.SessionEnded)) == 1


def test_plans_that_contradict_themselves_are_refused() -> None:
    asked: list[dict[str, Any]] = [
        {"passive_liveness": True},
        {"verification": True},
        {"extraction": True},
    ]
    for wrong in asked:
        targets = (Target.DOCUMENT_BACK,)
        with pytest.raises(DomainError) as caught:
            Rehearsal.of(*targets, **wrong)
        assert caught.value.reason is Reason.REQUEST_INVALID
        assert caught.value.fields


def test_movement_of_something_else_counts_as_movement() -> None:
    seen = frame()
    assert seen.drift_px(frame(subjects=0)) == float("inf")
    assert seen.drift_px(frame(at=103.0)) == pytest.approx(3 * 2**0.5)


@pytest.mark.requirement("R-CA1", "R-ST2")
def test_nothing_is_told_before_the_start_while_the_session_is_being_written() -> None:
    model = Rehearsal.of().session
    session = CaptureSession(
        "ses_2",
        model.plan,
        model.rules,
        begin=Moment(0.0, BEGIN),
        expire_time=BEGIN + timedelta(seconds=180),
        choose=lambda _: 0,
    )
    later = Moment(5.0, BEGIN + timedelta(seconds=5))
    assert not session.tick(later).events
    assert isinstance(session.start(later).events[0], ev.SessionStarted)
