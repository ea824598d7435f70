"""How well characters fit a line of a format. Points, comparable between lines and formats."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.confusions import DIGIT_FOR_LETTER, as_digits, as_letters
from vidence_server.extraction.types.mrz.countries import country
from vidence_server.extraction.types.mrz.formats import CharacterClass, Content, LineLayout, MrzFormat, Span
from vidence_server.extraction.types.mrz.long_number import long_number

MISSING = "?"
"""Stands for a position that no character was read for."""
LEAST_SCORE = 0.7
"""A row that scores less on a line is not taken for it."""
STRONG_SCORE = 2.0
"""A row with a filler that scores this is a line of a zone, whatever stands around it."""
PROVEN_SCORE = 3.0
"""So is a row without any filler that scores this: three check digits hold, or two and a state."""
_NO_FILLER = -1.0
_LEAST_DIGITS = 0.6  # share of the places for digits that hold them; a letter that resembles one counts half
_NO_DIGITS = -2.0
_WRONG_CODE = -1.0


def line_score(text: str, layout: LineLayout, mrz_format: MrzFormat) -> float:
    """Points of `text` (as long as the layout, `?` where nothing was read) as this line.

    A check digit that holds counts 1, a known state ½ (1 beside a document code), a possible sex ¼, digits
    where digits must be up to ½, a document code of the format 1, names that look like names up to 1¼.
    """
    points = sum(_span_points(text, span, mrz_format) for span in layout.spans)
    if layout.number == 2:
        points += _digit_points(text, layout) + _composite_points(text, mrz_format)
    if layout.number != 2 and "<" not in text:
        points += _NO_FILLER
    return points


def valid_checks(text: str, layout: LineLayout) -> int:
    """How many fields with a value agree with their check digit, letters for digits read as digits."""
    return sum(_check_holds(text, span) for span in layout.spans)


def composite_text(texts: dict[int, str], mrz_format: MrzFormat) -> str | None:
    """The characters that the composite digit covers; None where a line or a character is missing."""
    if mrz_format.composite is None:
        return None
    covered = ""
    for line, start, end in mrz_format.composite.parts:
        if line not in texts:
            return None
        covered += texts[line][start:end]
    return None if MISSING in covered else covered


def _span_points(text: str, span: Span, mrz_format: MrzFormat) -> float:
    value = text[span.start : span.end]
    match span.content:
        case Content.CODE:
            return _code_points(value, mrz_format)
        case Content.COUNTRY:
            return (1.0 if span.start == 2 else 0.5) * bool(country(as_letters(value)))
        case Content.SEX:
            return 0.25 * (value in "MFX<")
        case Content.NAMES:
            return _name_points(value)
        case _:
            return float(_check_holds(text, span))


def _code_points(value: str, mrz_format: MrzFormat) -> float:
    first, second = as_letters(value[0]), value[1]
    points = 1.0 if first in mrz_format.codes else _WRONG_CODE
    return points + (0.1 if second.isalpha() or second == "<" else 0.0)


def _name_points(value: str) -> float:
    body = value.rstrip("<" + MISSING)
    if not body:
        return 0.0
    digits = sum(char.isdigit() for char in body)
    unlike = sum(char.isdigit() for char in as_letters(body))  # digits that resemble no letter
    points = 0.5 * ("<<" in body.lstrip("<")) + 0.25 * (digits == 0)
    return points + 0.25 * (unlike <= 1) + 0.25 * value.endswith("<<")


def _check_holds(text: str, span: Span) -> bool:
    if span.check is None:
        return False
    value, digit = text[span.start : span.end], as_digits(text[span.check])
    goes_on = long_number(text, span)
    if goes_on is not None:
        value, digit = goes_on.number, goes_on.digit
    if span.characters is CharacterClass.DIGIT:
        value = as_digits(value)
    if MISSING in value + digit or not value.strip("<"):
        return False
    return check_digit(value) == digit


def _digit_points(text: str, layout: LineLayout) -> float:
    places = set(layout.digits)
    for span in layout.spans:
        if span.characters is CharacterClass.DIGIT:
            places.update(range(span.start, span.end))
    fitting = sum(_digit_likeness(text[place]) for place in places) / len(places)
    return 0.5 * fitting if fitting >= _LEAST_DIGITS else _NO_DIGITS


def _digit_likeness(char: str) -> float:
    if char.isdigit() or char == MISSING:
        return 1.0
    return 0.5 * (char == "<" or char in DIGIT_FOR_LETTER)


def _composite_points(text: str, mrz_format: MrzFormat) -> float:
    composite = mrz_format.composite
    if composite is None or any(line != 2 for line, _, _ in composite.parts):
        return 0.0
    covered = composite_text({2: text}, mrz_format)
    return float(covered is not None and check_digit(covered) == as_digits(text[composite.position]))
