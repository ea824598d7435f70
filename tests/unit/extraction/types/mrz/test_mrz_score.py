"""What a row is worth as a line of a format, point by point."""

from __future__ import annotations

import pytest

from rendering.specimens import LOWER, UPPER
from vidence_server.extraction.types.mrz.formats import MRV_A, TD1, TD2, TD3, MrzFormat
from vidence_server.extraction.types.mrz.score import composite_text, line_score, valid_checks

pytestmark = pytest.mark.requirement("R-EX3")

FORMATS = {known.name: known for known in (TD1, TD2, TD3, MRV_A)}


def changed(text: str, *changes: tuple[int, str]) -> str:
    """`text` with other characters from the given places on."""
    for place, other in changes:
        text = text[:place] + other + text[place + len(other) :]
    return text


def points(text: str, mrz_format: MrzFormat, number: int) -> float:
    return line_score(text, mrz_format.lines[number - 1], mrz_format)


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        # code: 1 for one of the format's, -1 for another; a tenth for what may follow it
        (((0, "V"),), 2.0),
        (((0, "1"),), 2.0),
        (((1, "D"),), 0.0),
        (((1, "4"),), 0.1),
        (((1, "?"),), 0.1),
        # the state beside it: 1, also where a digit was read for a letter
        (((2, "UT0"),), 0.0),
        (((2, "XQO"),), 1.0),
        (((2, "?TO"),), 1.0),
        # names: two fillers in them
        (((13, "AA"),), 0.5),
        (((5, "<<ERIKSSON<ANNA"),), 0.5),
        (((5, "XX<<ANNA" + "<" * 31),), 0.0),
        (((5, "XX" + "<" * 37),), 0.5),
        # no digit; one that resembles no letter may be there, two may not
        (((6, "8"),), 0.25),
        (((6, "801"),), 0.25),
        (((6, "9"),), 0.25),
        (((6, "97"),), 0.5),
        # fillers to the end
        (((42, "AA"),), 0.25),
        (((43, "?"),), 0.25),
        (((42, "A<"),), 0.25),
        # nothing to be seen of a name
        (((5, "<" * 39),), 1.25),
        (((5, "?" * 39),), 1.25),
        (((5, "<" * 10 + "?" * 29),), 1.25),
    ],
)
def test_points_of_the_line_of_names(changes: tuple[tuple[int, str], ...], lost: float) -> None:
    assert points(UPPER, TD3, 1) == pytest.approx(1.1 + 1 + 1.25)
    assert points(changed(UPPER, *changes), TD3, 1) == pytest.approx(1.1 + 1 + 1.25 - lost)


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        # number, date of birth, date of expiry and optional data prove themselves, all together a fifth time
        (((9, "7"),), 2.0),
        (((19, "3"),), 2.0),
        (((27, "8"),), 2.0),
        (((42, "2"),), 2.0),
        (((43, "1"),), 1.0),
        (((0, "?"),), 2.0),
        (((9, "?"),), 2.0),
        # letters that resemble the digit: half a digit of seventeen; G counts like 6
        (((9, "G"),), 0.25 / 17),
        (((43, "O"),), 0.25 / 17),
        (((13, "74O8I2"),), 0.5 / 17 + 1),
        (((19, "X"),), 0.5 / 17 + 2),
        (((19, "<"),), 0.25 / 17 + 2),
        # a state and a sex that may be
        (((10, "XQO"),), 0.5),
        (((10, "UT0"),), 0.0),
        (((20, "M"),), 0.0),
        (((20, "X"),), 0.0),
        (((20, "<"),), 0.0),
        (((20, "A"),), 0.25),
        (((20, "8"),), 0.25),
    ],
)
def test_points_of_the_line_of_numbers(changes: tuple[tuple[int, str], ...], lost: float) -> None:
    whole = 4 + 1 + 0.5 + 0.25 + 0.5
    assert points(LOWER, TD3, 2) == pytest.approx(whole)
    assert points(changed(LOWER, *changes), TD3, 2) == pytest.approx(whole - lost)


@pytest.mark.parametrize(
    ("layout", "number", "text", "worth"),
    [
        # code 1.1, state 1, number 1
        ("TD1", 1, "I<UTOD231458907<<<<<<<<<<<<<<<", 3.1),
        ("TD1", 1, "1<UTOD231458907<<<<<<<<<<<<<<<", 3.1),
        ("TD1", 1, "P<UTOD231458908<<<<<<<<<<<<<<<", 0.1),
        # two dates, a sex, a state, digits in place: the composite digit covers another line too
        ("TD1", 2, "7408122F1204159UTO<<<<<<<<<<<6", 1 + 1 + 0.25 + 0.5 + 0.5),
        ("TD1", 3, "ERIKSSON<<ANNA<MARIA<<<<<<<<<<", 1.25),
        # a first or third line without a filler
        ("TD1", 3, "ERIKSSONANNAMARIAERIKSSONANNAM", 0.5 - 1),
        ("TD1", 1, "IDUTOD231458907ABCDEFGHIJKLMNO", 3.1 - 1),
        # the second may be without
        ("MRV-A", 2, "L8988901C4XXX4009078F96121096ZE184226BABCDEF", 3 + 0.5 + 0.25 + 0.5),
        ("MRV-A", 2, "L8988901C4XXX4009078F96121096ZE184226B<<<<<<", 3 + 0.5 + 0.25 + 0.5),
        # three checks and the composite one
        ("TD2", 2, "D231458907UTO7408122F1204159<<<<<<<6", 4 + 0.5 + 0.25 + 0.5),
        # an empty field proves nothing
        ("TD2", 2, "<<<<<<<<<0UTO7408122F1204159<<<<<<<0", 2 + 1 + 0.5 + 0.25 + 0.5),
        # six of ten places hold digits: worth so much; fewer: not this line
        ("MRV-A", 2, "L898890XCXXXX400XXX8F9612109<<<<<<<<<<<<<<<<", 1 + 0.5 + 0.25 + 0.5 * 11 / 15),
        ("MRV-A", 2, "L898890XCXXXXXXXXXX8F9612109<<<<<<<<<<<<<<<<", 1 + 0.5 + 0.25 - 2),
        ("MRV-A", 2, "L898890XCXXXX40XXXXXF9612109<<<<<<<<<<<<<<<<", 1 + 0.5 + 0.25 + 0.5 * 9 / 15),
        # what was not read speaks neither for nor against
        ("MRV-A", 2, "?" * 44, 0.5),
    ],
)
def test_points_of_other_lines(layout: str, number: int, text: str, worth: float) -> None:
    assert points(text, FORMATS[layout], number) == pytest.approx(worth)


@pytest.mark.parametrize(
    ("text", "holding"),
    [
        (LOWER, 4),
        (changed(LOWER, (9, "7")), 3),
        (changed(LOWER, (9, "G"), (13, "74O8I2")), 4),
        (changed(LOWER, (28, "<" * 14), (42, "0")), 3),
        (changed(LOWER, (0, "?"), (13, "?")), 2),
        # of the document number letters are letters
        (changed(LOWER, (0, "L8989O2C3")), 3),
        ("X" * 44, 0),
        (changed(LOWER, (0, "X" * 9 + "9")), 4),
    ],
)
def test_check_digits_that_hold_are_counted(text: str, holding: int) -> None:
    assert valid_checks(text, TD3.lines[1]) == holding


@pytest.mark.parametrize(
    ("line", "holding"),
    [
        ("I<UTOD23145890<7349<<<<<<<<<<<", 1),
        ("I<UTOD23145890<7348<<<<<<<<<<<", 0),
        ("I<UTOD23145890<734?<<<<<<<<<<<", 0),
        ("I<UTOD23145890<73?9<<<<<<<<<<<", 0),
    ],
)
def test_the_check_digit_of_a_long_number_covers_its_end(line: str, holding: int) -> None:
    assert valid_checks(line, TD1.lines[0]) == holding


def test_a_composite_digit_covers_all_its_lines_or_none() -> None:
    first, second = "I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6"
    covered = "D231458907<<<<<<<<<<<<<<<" + "7408122" + "1204159" + "<" * 11
    assert composite_text({1: first, 2: second}, TD1) == covered
    assert composite_text({2: second}, TD1) is None
    assert composite_text({1: changed(first, (29, "?")), 2: second}, TD1) is None
    # what it does not cover may be missing
    assert composite_text({1: first, 2: changed(second, (7, "?"), (15, "???"))}, TD1) == covered
    assert composite_text({2: LOWER}, MRV_A) is None
