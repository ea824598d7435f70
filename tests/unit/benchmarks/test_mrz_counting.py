"""Which check digits count as right, wrong or not read."""

from __future__ import annotations

from datetime import date

from benchmarks.mrz.real import (
    Checks,
    Outcome,
    checks,
    expected_checks,
    floors,
    misses,
    peer_checks,
    score,
    wanted,
)
from benchmarks.ocr.metrics import Line
from benchmarks.processes import Answer
from rendering.people import Person
from rendering.zones import zone_lines
from vidence_server.vision.geometry import Point, Quad

TODAY = date(2026, 1, 1)
PERSON = Person("ALDERSEN", "ANNIKA", "UTO", "UTO", date(1990, 4, 12), "F", "L898902C3", date(2031, 4, 15))
ALL = expected_checks("TD3")


def answer(*texts: str, tilted: bool = False) -> Answer:
    """Lines one below the other; where tilted, upright boxes that cover each other."""
    tall = 300 if tilted else 20
    boxes = [(0.0, 30.0 * place, 500.0, 30.0 * place + tall) for place in range(len(texts))]
    quads = tuple(Quad(Point(a, b), Point(c, b), Point(c, d), Point(a, d)) for a, b, c, d in boxes)
    return Answer(tuple(Line(text, box) for text, box in zip(texts, boxes, strict=True)), quads, 0.1, {})


def test_layouts_have_the_check_digits_that_doc_9303_gives_them() -> None:
    counts = {name: len(expected_checks(name)) for name in ("TD1", "TD2", "TD3", "MRV-A", "MRV-B", "")}
    assert counts == {"TD1": 4, "TD2": 4, "TD3": 5, "MRV-A": 3, "MRV-B": 3, "": 0}


def test_all_check_digits_of_a_well_read_zone_are_right() -> None:
    found = peer_checks(answer(*zone_lines(PERSON, "TD3")), "passport", TODAY)
    assert found == Checks("TD3", ALL, frozenset())


def test_boxes_that_cover_each_other_do_not_count_against_a_peer() -> None:
    found = peer_checks(answer(*zone_lines(PERSON, "TD3"), tilted=True), "passport", TODAY)
    assert found.right == ALL


def test_a_misread_number_counts_as_wrong_with_its_composite() -> None:
    upper, lower = zone_lines(PERSON, "TD3")
    found = peer_checks(answer(upper, "K" + lower[1:]), "passport", TODAY)
    assert found.wrong == {"document.number", "mrz.composite_check"}


def test_a_picture_without_a_zone_has_nothing_right() -> None:
    assert checks([]) == Checks("", frozenset(), frozenset())


def test_misses_name_check_digits_and_nothing_that_was_read() -> None:
    ours = Outcome("ours", {"a.jpg": Checks("TD3", ALL, frozenset())})
    right = ALL - {"document.number", "person.birth_date"}
    theirs = Outcome("peer", {"a.jpg": Checks("TD3", right, frozenset({"document.number"}))})
    expected = wanted([ours, theirs])
    assert misses(ours, expected) == []
    assert misses(theirs, expected) == [
        "a.jpg: document.number contradicted",
        "a.jpg: person.birth_date not read",
    ]
    assert (score(theirs, expected).right, score(theirs, expected).pictures_right) == (3, 0)


def test_the_floor_is_to_be_no_worse_than_each_peer() -> None:
    good = {"a.jpg": Checks("TD3", ALL, frozenset())}
    bad = {"a.jpg": Checks("TD3", frozenset(), frozenset())}
    assert all(floor.reached for floor in floors([Outcome("vidence", good), Outcome("peer", good)]))
    assert not any(floor.reached for floor in floors([Outcome("vidence", bad), Outcome("peer", good)]))


def test_a_picture_that_nobody_read_is_right_for_nobody() -> None:
    nothing = Outcome("ours", {"a.jpg": Checks("", frozenset(), frozenset())})
    expected = wanted([nothing])
    assert score(nothing, expected).pictures_right == 0
    assert misses(nothing, expected) == ["a.jpg: no zone read by anybody"]
