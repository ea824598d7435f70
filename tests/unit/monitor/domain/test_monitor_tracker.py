"""Who is followed, who has come, who has gone: scripted, and at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.monitor.domain.appearances import LeaveReason
from vidence_server.monitor.domain.backoff import BackOff
from vidence_server.monitor.domain.places import nearest_pairs, shift
from vidence_server.monitor.domain.rules import TrackerRules
from vidence_server.monitor.domain.tracker import (
    Appeared,
    Change,
    Identified,
    Left,
    Look,
    Sighting,
    Tracker,
)
from vidence_server.vision.faces.face import Box

FRAME_S = 0.1
RULES = TrackerRules(appear_s=0.3, appear_frames=3, follow_s=1.0, leave_s=3.0, votes=2)
ADA, BOB = "ada", "bob"


def alike(one: str, other: str) -> float:
    """Templates of one person are equal, others nothing alike; `?` is like everybody a little."""
    if "?" in {one, other}:
        return 0.2
    return 0.9 if one == other else 0.0


def near(seconds: float) -> float:
    """Equal to times that differ by rounding only."""
    return cast(float, pytest.approx(seconds))


def box(at: float = 100, size: float = 60) -> Box:
    return Box(at, 100, size, size)


def look(template: str, name: str = "") -> Look[str]:
    return Look(template, name, 0.8)


@dataclass
class View:
    """A tracker and its frames, ten a second; looks are given where they are wanted."""

    rules: TrackerRules = RULES
    now_s: float = 0.0
    told: list[Change] = field(default_factory=list)
    looks_given: int = 0

    def __post_init__(self) -> None:
        self.tracker: Tracker[str] = Tracker(self.rules, alike)

    def see(self, *people: tuple[str, float], names: dict[str, str] | None = None) -> list[Change]:
        """A frame with people, each with where they are; an empty template: too small for a look."""
        self.now_s = round(self.now_s + FRAME_S, 6)
        boxes = [box(at) for _, at in people]
        wanted = self.tracker.wanted(boxes, self.now_s)
        sightings = [
            Sighting(boxes[index], look(who, (names or {}).get(who, "")) if index in wanted and who else None)
            for index, (who, _) in enumerate(people)
        ]
        self.looks_given += sum(one.look is not None for one in sightings)
        changes = list(self.tracker.observe(sightings, self.now_s))
        self.told += changes
        return changes

    def for_s(
        self, seconds: float, *people: tuple[str, float], names: dict[str, str] | None = None
    ) -> list[Change]:
        return [change for _ in range(round(seconds / FRAME_S)) for change in self.see(*people, names=names)]

    def kinds(self) -> list[str]:
        return [type(change).__name__ for change in self.told]


@pytest.mark.requirement("R-CA9")
def test_somebody_who_comes_and_goes_is_told_once_with_times() -> None:
    view = View()
    view.for_s(2, (ADA, 100))
    view.for_s(5)
    appeared, left = view.told
    assert appeared == Appeared(1, 0, near(0.1))
    assert left == Left(1, near(0.1), near(2.0), LeaveReason.LEFT)
    assert view.tracker.present == ()


@pytest.mark.requirement("R-CA9")
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_face_of_a_moment_is_never_told(frames: int) -> None:
    view = View()
    for _ in range(frames):
        view.see((ADA, 100))
    view.for_s(5)
    assert view.told == []


@pytest.mark.requirement("R-CA9")
def test_a_face_must_be_seen_for_a_time_and_often() -> None:
    view = View(TrackerRules(appear_s=0.1, appear_frames=8))
    assert view.for_s(0.7, (ADA, 100)) == []
    assert view.see((ADA, 100)) == [Appeared(1, 0, near(0.1))]


@pytest.mark.requirement("R-CA9")
def test_flicker_and_short_absence_are_no_news() -> None:
    view = View()
    view.for_s(1, (ADA, 100))
    for _ in range(10):
        view.for_s(0.5)
        view.see((ADA, 100))
    view.for_s(2.5)
    view.for_s(1, (ADA, 700))  # back somewhere else, within the time: known by the look
    assert view.kinds() == ["Appeared"]
    assert view.tracker.present == (1,)


@pytest.mark.requirement("R-CA9")
def test_somebody_else_in_the_place_of_one_out_of_sight_is_another_person() -> None:
    view = View()
    view.for_s(1, (ADA, 100))
    view.for_s(1.5)
    view.for_s(2, (BOB, 100))
    assert view.kinds() == ["Appeared", "Appeared", "Left"]
    assert view.told[2] == Left(1, near(0.1), near(1.0), LeaveReason.LEFT)


@pytest.mark.requirement("R-CA9")
def test_a_face_that_turns_out_to_be_anothers_replaces_it() -> None:
    view = View()
    view.for_s(1, (ADA, 100))
    view.for_s(4, (BOB, 100))
    assert view.kinds() == ["Appeared", "Left", "Appeared"]
    left = view.told[1]
    assert isinstance(left, Left)
    assert left.reason is LeaveReason.REPLACED
    assert left.last_seen_s <= 1.0


@pytest.mark.requirement("R-CA9")
def test_one_contradiction_is_forgiven() -> None:
    view = View()
    view.for_s(1, (ADA, 100))
    view.now_s += 0.5
    view.see((BOB, 100))
    view.for_s(3, (ADA, 100))
    assert view.kinds() == ["Appeared"]


@pytest.mark.requirement("R-CA9")
def test_a_doubtful_look_changes_nothing() -> None:
    view = View()
    view.for_s(1, (ADA, 100))
    view.for_s(8, ("?", 100))
    assert view.kinds() == ["Appeared"]


@pytest.mark.requirement("R-CA9")
def test_somebody_too_small_for_a_look_is_followed_by_place() -> None:
    view = View()
    view.for_s(1, ("", 100))
    view.for_s(2)
    view.for_s(1, ("", 120))
    assert view.kinds() == ["Appeared"]


@pytest.mark.requirement("R-CA9")
def test_somebody_known_is_identified_once_by_agreeing_looks() -> None:
    view = View()
    view.for_s(12, (ADA, 100), names={ADA: "Ada"})
    assert view.told == [Appeared(1, 0, near(0.1)), Identified(1, "Ada", 0.8)]
    assert view.looks_given <= 2 + 12 / RULES.verify_s


@pytest.mark.requirement("R-CA9")
def test_names_that_disagree_identify_nobody() -> None:
    view = View()
    for name in ["Ada", "Eve"] * 5:
        view.for_s(0.5, (ADA, 100), names={ADA: name})
    assert view.kinds().count("Identified") == 0


@pytest.mark.requirement("R-CA9")
def test_somebody_unknown_is_not_looked_at_for_ever() -> None:
    view = View(TrackerRules(look_limit=5, verify_s=10))
    view.for_s(9, (ADA, 100))
    assert view.looks_given == 5


@pytest.mark.requirement("R-CA9")
def test_two_people_who_pass_each_other_stay_themselves() -> None:
    view = View()
    for step in range(40):
        view.see((ADA, 100 + step * 20), (BOB, 1500 - step * 20))
    assert view.kinds() == ["Appeared", "Appeared"]


@pytest.mark.requirement("R-CA9")
def test_the_end_of_the_source_ends_all_who_count() -> None:
    view = View()
    view.for_s(1, (ADA, 100), (BOB, 400))
    view.see((ADA, 100), (BOB, 400), ("carl", 900))
    ended = view.tracker.finish(LeaveReason.SOURCE_ENDED)
    assert [(one.key, one.reason) for one in ended] == [
        (1, LeaveReason.SOURCE_ENDED),
        (2, LeaveReason.SOURCE_ENDED),
    ]
    assert view.tracker.finish(LeaveReason.STOPPED) == ()


FRAMES = st.lists(
    st.lists(st.tuples(st.sampled_from([ADA, BOB, "carl", "", "?"]), st.integers(0, 12)), max_size=4),
    max_size=120,
)


@pytest.mark.requirement("R-CA9")
@given(frames=FRAMES, jump=st.sampled_from([0.0, 0.4, 2.0]))
def test_whatever_is_seen_each_appearance_has_one_beginning_and_one_end(
    frames: list[list[tuple[str, int]]], jump: float
) -> None:
    view = View()
    for people in frames:
        view.now_s += jump
        before = set(view.tracker.present)
        changes = view.see(*((who, at * 40.0) for who, at in people), names={ADA: "Ada", BOB: "Bob"})
        arrived = {change.key for change in changes if isinstance(change, Appeared)}
        gone = {change.key for change in changes if isinstance(change, Left)}
        assert set(view.tracker.present) == (before | arrived) - gone
        assert len(arrived) <= len(people)
        for change in changes:
            if isinstance(change, Left) and change.reason is LeaveReason.LEFT:
                assert view.now_s - change.last_seen_s >= RULES.leave_s
    view.told += view.tracker.finish(LeaveReason.STOPPED)
    by_key: dict[int, list[Change]] = {}
    for change in view.told:
        by_key.setdefault(change.key, []).append(change)
    for history in by_key.values():
        assert [type(change) for change in history] in ([Appeared, Left], [Appeared, Identified, Left])
        begin, end = history[0], history[-1]
        assert isinstance(begin, Appeared)
        assert isinstance(end, Left)
        assert begin.first_seen_s == end.first_seen_s <= end.last_seen_s <= view.now_s


@pytest.mark.requirement("R-CA9")
@given(frames=FRAMES)
def test_the_same_frames_give_the_same_changes(frames: list[list[tuple[str, int]]]) -> None:
    one, other = View(), View()
    for people in frames:
        seen = [(who, at * 40.0) for who, at in people]
        assert one.see(*seen) == other.see(*seen)


def test_boxes_pair_with_the_nearest_of_their_size() -> None:
    assert set(nearest_pairs([box(100), box(160)], [box(150), box(90)], 1.0)) == {(0, 1), (1, 0)}
    assert nearest_pairs([box(100)], [box(100, 200)], 1.0) == []
    assert nearest_pairs([box(100)], [box(170)], 1.0) == []
    assert shift(box(100), box(130)) == pytest.approx(0.5)
    assert shift(box(0, 0), box(0)) > 1e9


@given(failures=st.integers(1, 10_000), random=st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_a_bound_with_full_jitter(failures: int, random: float) -> None:
    delay_s = BackOff(0.5, 30).delay_s(failures, random)
    assert 0 <= delay_s <= min(30, 0.5 * 2.0 ** min(failures - 1, 30))
    assert BackOff(0.5, 30).delay_s(3, 0.5) == 1.0
