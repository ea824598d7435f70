"""Rows brought to the length of a line: what is added, left out or left open, and what that costs."""

from __future__ import annotations

import pytest

from rendering.lines import line
from rendering.specimens import CARD, LOWER, UPPER
from rendering.zones import digit
from vidence_server.extraction.types.mrz.fitting import FittedLine, fit
from vidence_server.extraction.types.mrz.formats import FORMATS, MRV_A, TD2, TD3, MrzFormat
from vidence_server.extraction.types.mrz.glyphs import glyphs_of
from vidence_server.extraction.types.mrz.rows import Row
from vidence_server.extraction.types.mrz.score import line_score

pytestmark = pytest.mark.requirement("R-EX3")

KNOWN = {known.name: known for known in FORMATS}


def short_number() -> str:
    """A passport's lower line with two runs of fillers, in the number and in the optional data."""
    optional = "ZE184226B<<<<<1"
    checked = ("AB2134<<<5", "7408122", "1204159" + optional)
    return f"AB2134<<<5UTO7408122F1204159{optional}{digit(''.join(checked))}"


def fitted(text: str, mrz_format: MrzFormat, number: int) -> FittedLine | None:
    read = line(text, 0)
    return fit(Row(glyphs_of(read), read.quad, (0,)), mrz_format.lines[number - 1], mrz_format)


def laid_out(text: str, number: int, mrz_format: MrzFormat = TD3) -> str:
    found = fitted(text, mrz_format, number)
    return found.text if found else ""


@pytest.mark.parametrize(
    ("text", "layout", "number", "fits"),
    [
        # from half of the line's length to eight characters more
        ("L898902C36UTO7408122F1", "TD3", 2, True),
        ("L898902C36UTO7408122F", "TD3", 2, False),
        (LOWER + "<" * 8, "TD3", 2, True),
        (LOWER + "<" * 9, "TD3", 2, False),
        # names are no numbers: two fifths may be digits
        ("P<UTOERI12345678901234", "TD3", 1, False),
        ("P<UTOERIK1234567<<<<<<<<", "TD3", 1, True),
        ("P<UTO" + "1" * 10 + "A" * 10, "TD3", 1, True),
        ("P<UTO" + "1" * 11 + "A" * 9, "TD3", 1, False),
        ("1" * 12 + "A" * 18, "TD1", 3, True),
        ("1" * 13 + "A" * 17, "TD1", 3, False),
        # dates hold six digits at least
        ("A" * 10 + "123456" + "B" * 28, "TD3", 2, True),
        ("A" * 10 + "12345" + "B" * 29, "TD3", 2, False),
        # a line without dates may be without digits
        ("I<UTOABCDEFGHI<<<<<<<<<<<<<<<<", "TD1", 1, True),
        ("I<UTO123456789012345678901234<", "TD1", 1, True),
    ],
)
def test_what_length_and_digits_rule_out(text: str, layout: str, number: int, fits: bool) -> None:
    assert (fitted(text, KNOWN[layout], number) is not None) is fits


@pytest.mark.parametrize(
    ("text", "number", "whole", "cost"),
    [
        (UPPER, 1, UPPER, 0),
        (LOWER, 2, LOWER, 0),
        # a run made longer or shorter costs little, and hardly more with every filler
        (UPPER[:38], 1, UPPER, 0.1 + 0.06),
        (LOWER.replace("<<<<<", "<<<"), 2, LOWER, 0.1 + 0.02),
        (LOWER.replace("<<<<<", "<" * 8), 2, LOWER, 0.1 + 0.03),
        # fillers where none was read cost more, most in the document code
        (LOWER.replace("<<<<<", ""), 2, LOWER, 0.4 + 0.05),
        ("P" + UPPER[2:], 1, UPPER, 0.4 + 0.01 + 0.4),
        ("P" + UPPER[2:40], 1, UPPER, 0.4 + 0.1 + 0.05 + 0.4),
        # left out at the ends: characters, fillers
        ("I" + UPPER, 1, UPPER, 1.2),
        ("I" + LOWER + "I", 2, LOWER, 2.4),
        ("II" + LOWER, 2, LOWER, 2.4),
        (LOWER + "<<", 2, LOWER, 0.6),
        (UPPER + "<<<", 1, UPPER, 0.9),
        ("I" + UPPER[:40], 1, UPPER, 1.2 + 0.1 + 0.04),
        # a row of the right length laid out otherwise
        ("I" + UPPER[:43], 1, UPPER, 1.2 + 0.1 + 0.01 + 1.5),
        ("P<<" + UPPER[2:43], 1, "P<<" + UPPER[2:43], 0),
        # one filler of the code too many
        ("P<<" + UPPER[2:40], 1, UPPER, 0.1 + 0.1 + 0.05 + 0.4),
        ("P<DUTO" + UPPER[5:40], 1, "PDUTO" + UPPER[5:], 0.1 + 0.1 + 0.05 + 0.4),
        ("I" + UPPER[:24], 1, UPPER[:24] + "?" * 20, 1.2 + 0.15 + 0.4),
        # left open where reading ended, or began
        (UPPER[:24], 1, UPPER[:24] + "?" * 20, 0.15 + 0.4),
        (LOWER[:30], 2, LOWER[:30] + "?" * 14, 0.15 + 0.28),
        (LOWER[11:], 2, "?" * 11 + LOWER[11:], 0.15 + 0.22),
    ],
)
def test_a_row_brought_to_its_length_and_what_that_costs(
    text: str, number: int, whole: str, cost: float
) -> None:
    found = fitted(text, TD3, number)
    assert found is not None
    assert found.text == whole
    assert line_score(whole, TD3.lines[number - 1], TD3) - found.score == pytest.approx(cost)
    assert found.complete is ("?" not in whole)
    assert found.exact is (text == whole)


@pytest.mark.parametrize(
    "read",
    [
        "AB2134<<5UTO7408122F1204159ZE184226B<<<1{}",
        "AB2134<5UTO7408122F1204159ZE184226B<<<<1{}",
        "AB2134<<<<5UTO7408122F1204159ZE184226B<<1{}",
        "AB2134<<<<<5UTO7408122F1204159ZE184226B<<<<1{}",
        "AB2134<<5UTO7408122F1204159ZE184226B<<<<<<<1{}",
        "AB2134<<<<5UTO7408122F1204159ZE184226B<<<<<<<1{}",
        "AB2134<<5UTO7408122F1204159ZE184226B<<<<<1{}",
        "AB2134<<<<5UTO7408122F1204159ZE184226B<<<<<1{}",
        "AB21345UTO7408122F1204159ZE184226B<<<<<1{}",
    ],
)
def test_two_miscounted_runs_of_fillers_are_both_put_right(read: str) -> None:
    whole = short_number()
    assert laid_out(read.format(whole[-1]), 2) == whole


def test_a_layout_of_which_half_the_check_digits_hold_is_not_the_last_that_is_tried() -> None:
    # with the filler of the number left out instead of the stray in front, dates are in place
    whole = "9277634<<4ESP6812230M3211267<<<<<<<<<<<<<<<4"
    assert laid_out("K" + whole, 2) == whole


@pytest.mark.parametrize(("number", "cost"), [("D2314589", 0.41), ("D231", 0.45), ("D2", 0.47)])
def test_a_short_number_of_which_all_fillers_were_dropped_is_filled_up(number: str, cost: float) -> None:
    padded = number.ljust(9, "<")
    rest = "UTO7408122F1204159ZE184226B<<<<<1"
    whole = f"{padded}{digit(padded)}{rest}"
    whole += digit(whole[:10] + whole[13:20] + whole[21:43])
    found = fitted(whole.replace(padded, number), TD3, 2)
    assert found is not None
    assert found.text == whole
    assert line_score(whole, TD3.lines[1], TD3) - found.score == pytest.approx(cost)


def test_nothing_but_fillers_is_taken_out_of_a_row() -> None:
    # two characters too many, and in front of the letters a run of one filler: it is cut off at its end
    text = "L8988901C4XXX4009078F9612109ABCDEF<GGGGGGGGGGG"
    assert laid_out(text, 2, MRV_A) == text[:44]
    # three fillers too many in the longest of three runs
    text = "L8988901C4XXX4009078F9612109AB<CD<EF<<<<<<<"
    assert laid_out(text + "<<<<", 2, MRV_A) == text + "<"


def test_where_two_layouts_are_equally_good_the_row_is_left_open_at_its_end() -> None:
    # a filler is missing, in the first or in the second run: nothing tells which
    text = "L8988901C4XXX4009078F9612109A<B<<<<<<<<<<<C"
    assert laid_out(text, 2, MRV_A) == text + "?"
    # one too many: the row is cut off
    full = "L8988901C4XXX4009078F9612109A<<B<<<<<<<<<<<<C"
    assert laid_out(full, 2, MRV_A) == full[:44]


@pytest.mark.parametrize(
    ("read", "layout", "number", "whole"),
    [
        (CARD[0][:20], "TD1", 1, CARD[0]),
        (CARD[1].replace("<" * 11, "<" * 7), "TD1", 2, CARD[1]),
        (CARD[2][:22], "TD1", 3, CARD[2]),
        (CARD[2] + "<<", "TD1", 3, CARD[2]),
        ("D231458907UTO7408122F1204159<<<<6", "TD2", 2, "D231458907UTO7408122F1204159<<<<<<<6"),
        # names end where reading ended, unless a filler was read there
        ("ERIKSSON<<ANNA<MAR", "TD1", 3, "ERIKSSON<<ANNA<MAR" + "?" * 12),
        ("ERIKSSON<<ANNA<", "TD1", 3, "ERIKSSON<<ANNA<" + "<" * 15),
    ],
)
def test_lines_of_cards(read: str, layout: str, number: int, whole: str) -> None:
    assert laid_out(read, number, KNOWN[layout]) == whole


@pytest.mark.parametrize("read", ["III" + LOWER, "II" + LOWER + "I", LOWER + "III"])
def test_three_strays_are_too_many(read: str) -> None:
    assert laid_out(read, 2) not in {LOWER, ""}


def test_each_position_knows_its_glyph() -> None:
    found = fitted(LOWER.replace("<<<<<", "<<<"), TD3, 2)
    assert found is not None
    assert [glyph.char if glyph else None for glyph in map(found.glyph, range(36, 44))] == [
        "B",
        "<",
        "<",
        "<",
        None,
        None,
        "1",
        "0",
    ]
    assert found.glyph(0) == found.row.glyphs[0]
    open_end = fitted(UPPER[:24], TD3, 1)
    assert open_end is not None
    assert open_end.glyph(23) == open_end.row.glyphs[23]
    assert open_end.glyph(24) is None


def test_a_row_is_laid_out_for_the_format_it_is_tried_for() -> None:
    found = fitted("D231458907UTO7408122F1204159<<<<<<<6", TD2, 2)
    assert found is not None
    assert (found.mrz_format, found.layout, found.exact) == (TD2, TD2.lines[1], True)
    assert found.score == pytest.approx(5.25)
