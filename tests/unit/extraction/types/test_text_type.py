from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.lines import line, regions
from rendering.reading import TODAY, read
from vidence_server.extraction.domain.document import FieldSource, Verdict
from vidence_server.extraction.types import document_type

PAGE = [
    line(text, index) for index, text in enumerate(("Dear keeper,", "the lamp is out.", "Yours, the sea"))
]


@pytest.mark.requirement("R-EX2", "R-EX3")
def test_each_line_is_a_field_as_it_was_read() -> None:
    first = read("text", PAGE).document.fields[0]
    assert (first.key, first.index, first.revision) == ("text.line", 1, 1)
    assert first.value == first.raw_value == "Dear keeper,"
    assert (first.confidence, first.quad, first.source) == (0.95, PAGE[0].quad, FieldSource.VISUAL)
    assert first.validation.verdict is Verdict.NOT_CHECKED


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(3)))
def test_lines_leave_in_reading_order_whatever_order_they_come_in(order: list[int]) -> None:
    events = read("text", [PAGE[place] for place in order]).events
    assert [(field.index, field.value) for field in events] == [
        (1, "Dear keeper,"),
        (2, "the lamp is out."),
        (3, "Yours, the sea"),
    ]


@pytest.mark.requirement("R-EX1")
def test_the_first_line_does_not_wait_for_the_last() -> None:
    reader = document_type("text").start(TODAY)
    assert [field.value for field in reader.feed(PAGE[0])] == ["Dear keeper,"]
    assert not list(reader.feed(PAGE[2]))
    assert [field.index for field in reader.feed(PAGE[1])] == [2, 3]
    assert not reader.complete
    assert not list(reader.finish())


def test_lines_that_never_come_do_not_hold_back_the_rest() -> None:
    assert [field.value for field in read("text", PAGE[1:]).events] == ["the lamp is out.", "Yours, the sea"]


@pytest.mark.requirement("R-EX7")
def test_regions_without_text_give_no_field_and_no_hole_in_the_indexes() -> None:
    lines = [PAGE[0], replace(PAGE[1], text="  ", confidence=0.0), PAGE[2]]
    assert [(field.index, field.value) for field in read("text", lines).events] == [
        (1, "Dear keeper,"),
        (2, "Yours, the sea"),
    ]
    assert read("text", []).document.fields == ()


def test_every_region_is_read_in_the_order_given() -> None:
    assert list(document_type("text").reading_order(regions(PAGE), 1000, 800)) == [0, 1, 2]
