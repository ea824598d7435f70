"""What a person sees."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console, RenderableType

from fakes import extraction_servicer as fake
from vidence.extraction.v1 import document_pb2 as document
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence_cli.live import LiveReport, plain, render
from vidence_cli.reading import Reading
from vidence_cli.types import table_of_types
from vidence_client import VidenceError

pytestmark = pytest.mark.requirement("R-EX1")


def drawn(renderable: RenderableType) -> list[str]:
    console = Console(file=io.StringIO(), record=True, width=90, color_system=None)
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def reading(*payloads: fake.Payload) -> Reading:
    """A reading after these payloads, one every half second."""
    state = Reading("passport.jpg", start_s=10.0)
    for number, message in enumerate(fake.responses(*payloads), start=1):
        state.take(message, 10.0 + number / 2)
    return state


def test_the_view_before_anything_is_known() -> None:
    (line,) = drawn(render(reading(fake.connected(), fake.start())))
    assert line.startswith("passport.jpg  detecting the type …")


def test_fields_appear_as_they_are_read() -> None:
    state = reading(
        fake.connected(),
        fake.start(),
        fake.detected(),
        service.ExtractionField(field=fake.NUMBER),
        fake.progress(1, 2),
    )
    header, _, row = drawn(render(state))
    assert header.startswith("passport.jpg  passport 99%")
    assert header.endswith("1/2")
    assert row.split() == ["document.number", "L898902C3", "98%", "✓", "mrz"]


def test_a_better_reading_replaces_the_earlier_one() -> None:
    better = fake.read_field("document.number", "L898902C4", revision=2)
    state = reading(service.ExtractionField(field=fake.NUMBER), service.ExtractionField(field=better))
    lines = drawn(render(state))
    assert len(lines) == 3
    assert "L898902C4" in lines[2]


def test_the_end_tells_how_long_it_took_and_when_the_first_field_came() -> None:
    state = reading(
        fake.connected(),
        fake.start(),
        service.ExtractionField(field=fake.NUMBER),
        fake.progress(1, 1),
        fake.complete(fake.NUMBER, fake.SURNAME),
    )
    assert drawn(render(state))[-1] == "2 fields in 2.50 s, the first after 1.50 s"


def test_a_document_without_fields_says_so() -> None:
    lines = drawn(render(reading(fake.connected(), fake.start(), fake.complete())))
    assert lines[-1] == "0 fields in 1.50 s"
    assert len(lines) == 2


def test_verdicts_corrections_and_missing_values_are_marked() -> None:
    correction = document.FieldCorrection(position=3, read="O", corrected="0", proof="icao9303.check_digit")
    fields = [
        fake.read_field(
            "document.expiry_date",
            "2012-04-15",
            verdict=document.VALIDATION_VERDICT_INVALID,
            message="check digit 7, computed 9",
        ),
        fake.read_field("document.number", "L890", corrections=[correction]),
        document.ExtractedField(key="holder.birth_date", revision=1, raw_value="7408<<"),
    ]
    state = reading(*(service.ExtractionField(field=field) for field in fields))
    _, _, expiry, number, birth = drawn(render(state))
    assert "✗ check digit 7, computed 9" in expiry
    assert "O→0 at 4" in number
    assert "·" in number.split()
    assert "7408<<" in birth


def test_a_page_of_text_is_shown_as_lines() -> None:
    lines = [
        fake.read_field("text.line", "The first line", index=1),
        fake.read_field("text.line", "a doubtful one", index=2, confidence=0.61),
    ]
    state = reading(*(service.ExtractionField(field=line) for line in lines))
    assert drawn(render(state))[1:] == ["   1  The first line", "   2  a doubtful one  61%"]
    assert drawn(render(state, newest=1))[1:] == ["   2  a doubtful one  61%"]


def test_values_cannot_steer_the_terminal_or_the_markup() -> None:
    evil = fake.read_field("holder.surname", "[red]X[/]\x1b[2J\n")
    row = drawn(render(reading(service.ExtractionField(field=evil))))[2]
    assert "[red]X[/]·[2J·" in row
    assert plain("Müller 李 é") == "Müller 李 é"


class Clock:
    """Seconds that pass by one with every look."""

    def __init__(self) -> None:
        self._ticks: Iterator[int] = iter(range(1000))

    def __call__(self) -> float:
        return float(next(self._ticks))


def test_the_live_view_leaves_the_whole_reading_behind() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=90, height=10, color_system=None)
    errors = io.StringIO()
    report = LiveReport(console, Console(file=errors, width=90), monotonic=Clock())
    many = [fake.read_field("text.line", f"line {index}", index=index) for index in range(1, 31)]
    with report.reading("page.png") as write:
        for message in fake.responses(
            fake.connected(),
            fake.start(),
            *(service.ExtractionField(field=line) for line in many),
            fake.complete(*many, document_type="text"),
        ):
            write(message)
    report.failed("bad.jpg", "IMAGE_CORRUPT: The image is truncated.")
    shown = screen.getvalue()
    assert all(f"line {index}" in shown for index in range(1, 31))
    assert "30 fields in " in shown
    assert errors.getvalue() == "✗ bad.jpg: IMAGE_CORRUPT: The image is truncated.\n"


def test_a_reading_that_failed_at_once_leaves_no_view_behind() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=90, height=10, color_system=None)
    error = VidenceError.from_status(fake.CORRUPT)
    report = LiveReport(console, console, monotonic=Clock())
    with pytest.raises(VidenceError), report.reading("bad.jpg"):
        raise error
    last = screen.getvalue().rpartition("detecting")[2]
    assert "\x1b[2K" in last  # the line is erased


def test_the_types_are_a_table_for_a_person() -> None:
    kinds = [document.DocumentType(key="passport", title="Passport", description="ICAO [9303]")]
    lines = drawn(table_of_types(kinds))
    assert lines[1].split() == ["passport", "Passport", "0", "ICAO", "[9303]"]
