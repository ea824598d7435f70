"""A slow camera, or a busy machine, still gets its picture; a camera that stopped is noticed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from fakes.capture_session import Rehearsal, frame
from vidence_server.capture.domain.flow import FrameFlow
from vidence_server.capture.domain.plan import HoldRule
from vidence_server.capture.domain.states import State, Target, Trigger

TICK_S = 0.2
S = State


def jittered(interval_s: float, jitter_s: float, seed: int) -> Iterator[float]:
    """Times of frames, s."""
    rng, now_s = random.Random(seed), 0.0
    while True:
        now_s += interval_s + rng.uniform(-jitter_s, jitter_s)
        yield now_s


def film(one: Rehearsal, arrivals: Iterator[float], look_s: float) -> float:
    """Plays a camera before a server that takes `look_s` per frame, newest frame first; virtual time, s."""
    arrival_s, tick_s, verdict_s, waiting = next(arrivals), TICK_S, float("inf"), False
    while not one.session.over:
        one.now_s = min(arrival_s, tick_s, verdict_s)
        if one.now_s == verdict_s:
            one.number += 1
            one.take(one.session.observe(frame(), one.number, one.now))
            if one.effects.capture:
                one.store()
            verdict_s = one.now_s + look_s if waiting else float("inf")
            waiting = False
        elif one.now_s == arrival_s:
            one.session.flow.came(one.now_s)
            waiting = verdict_s != float("inf")
            verdict_s = verdict_s if waiting else one.now_s + look_s
            arrival_s = next(arrivals)
        else:
            one.take(one.session.tick(one.now, frame_in_work=verdict_s != float("inf")))
            tick_s += TICK_S
    return one.now_s


@pytest.mark.requirement("R-CA1", "R-CA4")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("interval_s", "jitter_s", "look_s"),
    [(0.7, 0.35, 0.05), (1.0, 0.6, 0.4), (1.4, 0.6, 0.1), (0.1, 0.05, 1.8), (0.7, 0.35, 3.0)],
)
def test_a_picture_is_taken_however_slowly_frames_come_or_are_looked_at(
    seed: int, interval_s: float, jitter_s: float, look_s: float
) -> None:
    one = Rehearsal.of(Target.FACE, hold=HoldRule())
    took_s = film(one, jittered(interval_s, jitter_s, seed), look_s)
    assert one.state is S.COMPLETED
    stalls = [change for change in one.changes() if change[2] == Trigger.STALLED]
    # How slow a camera is, is known with its second frame: until then one pause may count as silence.
    assert len(stalls) <= (interval_s + jitter_s > one.session.rules.stall_s)
    # The lock, four more steady frames, then frames until the countdown is over.
    frames = HoldRule().stable_frames + 2 + HoldRule().countdown_s / min(interval_s, 1.0)
    assert took_s <= (frames + 2) * (interval_s + jitter_s + look_s)


@pytest.mark.requirement("R-CA7")
def test_passive_liveness_has_its_frames_from_a_slow_camera_too() -> None:
    one = Rehearsal.of(Target.FACE, hold=HoldRule(), passive_liveness=True)
    one.see_until(S.COUNTDOWN, liveness=0.9)
    one.see_until(S.COMPLETED, liveness=0.9)
    assert len(one.session.evidence.passive[0].scores) >= one.session.rules.liveness_frames


@pytest.mark.requirement("R-CA4")
def test_a_fast_camera_that_stops_is_noticed_as_soon_as_ever() -> None:
    one = Rehearsal.of()
    for _ in range(10):
        one.session.flow.came(one.now_s)
        one.see()
        if one.state is S.COUNTDOWN:
            break
    one.wait(1.4)
    assert one.state is S.COUNTDOWN
    one.wait(0.2)
    assert one.changes()[-1] == (S.COUNTDOWN, S.SEARCHING, Trigger.STALLED)


@pytest.mark.requirement("R-CA4")
def test_patience_grows_with_the_usual_interval_and_has_an_end() -> None:
    flow = FrameFlow(0.0)
    assert flow.patience_s(1.5) == 1.5
    for number in range(6):
        flow.came(0.7 * number)
    assert flow.patience_s(1.5) == pytest.approx(2.1)
    flow.came(100.0)  # one pause does not make it long
    assert flow.patience_s(1.5) == pytest.approx(2.1)
    for number in range(6):
        flow.came(200.0 + 10.0 * number)
    assert flow.patience_s(1.5) == 6.0
    assert flow.silent_s(255.0) == 5.0
    flow.looked_at(254.0)
    assert flow.silent_s(255.0) == 1.0


@pytest.mark.requirement("R-CA2")
def test_a_session_says_what_its_person_is_told() -> None:
    one = Rehearsal.of()
    assert one.session.summary().guidance == "show_face"
    one.see_until(S.COUNTDOWN)
    assert one.session.summary().guidance == "capturing"
    one.see_until(S.COMPLETED)
    assert one.session.summary().guidance == "done"
