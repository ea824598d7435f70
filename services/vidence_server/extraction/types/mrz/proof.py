"""What the check digits of a zone say about its fields, and what they prove about misread characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from vidence_server.extraction.domain.document import NOT_CHECKED, Correction, Validation, Verdict
from vidence_server.extraction.types.mrz.catalogue import listed
from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.confusions import as_digits
from vidence_server.extraction.types.mrz.dates import birth_date, expiry_date
from vidence_server.extraction.types.mrz.extent import assumed, field_places, misplaced
from vidence_server.extraction.types.mrz.fitting import FittedLine
from vidence_server.extraction.types.mrz.formats import CompositeCheck, Content, Span
from vidence_server.extraction.types.mrz.glyphs import Glyph
from vidence_server.extraction.types.mrz.long_number import long_number
from vidence_server.extraction.types.mrz.repair import (
    CHECK_DIGIT_RULE,
    COMPOSITE_RULE,
    Repair,
    agrees,
    check_digit_misread,
    corrections,
    read_as,
    repairs,
    the_one,
)
from vidence_server.extraction.types.mrz.score import MISSING, composite_text
from vidence_server.extraction.types.mrz.zone import Zone


@dataclass(frozen=True, slots=True)
class SpanReading:
    """One field's characters, as read and as proven."""

    line: FittedLine
    span: Span
    read: str
    """As read, `?` for characters that were not."""
    text: str
    """After proven corrections."""
    validation: Validation = NOT_CHECKED
    corrections: tuple[Correction, ...] = ()
    candidates: tuple[Repair, ...] = ()
    """The values that satisfy the check digit, likeliest first; where one is proven, it is `text`."""
    continued: int = 0
    """Characters outside the field that belong to it: filler, rest and check digit of a long number."""
    digit: str = ""
    """The check digit as proven; empty where there is none, it was not read or a filler stands there."""

    @property
    def glyphs(self) -> list[Glyph | None]:
        """What was read at each position."""
        return [self.line.glyph(at) for at in field_places(self.span, self.continued)]


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything the check digits of a zone say."""

    readings: tuple[SpanReading, ...]
    """In the order of lines and fields."""
    composite: Validation | None
    """None where the format has no composite digit, or what it needs was not read."""


def prove(zone: Zone, today: date) -> Proof:
    """Checks every field, repairs what can be proven, then lets the composite digit judge."""
    readings = [
        _checked(line, span, today) for _, line in sorted(zone.lines.items()) for span in line.layout.spans
    ]
    composite, whole = zone.mrz_format.composite, None
    if composite is not None and composite.line in zone.lines:
        readings = _settled_by_composite(zone, readings, composite)
        whole = _composite_validation(zone, readings, composite)
    # Where optional data begin behind a long number that does not hold, nobody knows.
    unsure = any(each.continued and each.validation.verdict is not Verdict.VALID for each in readings)
    readings = [_with_composite(reading, None if unsure else whole) for reading in readings]
    first = tuple(_less_what_is_assumed(readings, today))
    # What vouched for others has to stand itself.
    return Proof(tuple(_less_what_is_assumed(first, today)), whole)


def _less_what_is_assumed(readings: Sequence[SpanReading], today: date) -> Iterator[SpanReading]:
    """The readings, not checked where they are right only if the row was laid out rightly."""
    for reading in readings:
        if reading.validation.verdict is not Verdict.VALID:
            yield reading
            continue
        beside = (other for other in readings if other.line is reading.line)
        verdicts = {other.span: _verdict_on(other, today) for other in beside}
        why = assumed(reading.line, reading.span, reading.continued)
        why = why or misplaced(reading.line, reading.span, verdicts)
        yield replace(reading, validation=why) if why else reading


def _verdict_on(reading: SpanReading, today: date) -> Verdict:
    """What a field says of its place: a check digit can hold for what is no date."""
    if MISSING in reading.text or possible(reading.text, reading.span.content, today):
        return reading.validation.verdict
    return Verdict.INVALID


def _with_composite(reading: SpanReading, whole: Validation | None) -> SpanReading:
    """Optional data that only the composite digit covers (TD1, TD2) shares its verdict."""
    alone = reading.span.content is Content.OPTIONAL and reading.span.check is None
    if whole is None or not alone or not reading.read.strip("<"):
        return reading
    return replace(reading, validation=whole)


def _checked(line: FittedLine, span: Span, today: date) -> SpanReading:
    text = line.text
    read = text[span.start : span.end]
    plain = SpanReading(line, span, read, read)
    if span.check is None:
        proven = listed(read, span.content, line.mrz_format)
        return replace(plain, text=proven.text, validation=proven.validation, corrections=proven.corrections)
    if MISSING in read + text[span.check]:
        return replace(plain, validation=_unread())
    if text[span.check] == "<":
        return _without_digit(plain, text)
    digit = as_digits(text[span.check])
    if assumed(line, span, 0):  # what proves nothing repairs nothing either
        return replace(plain, validation=_verdict(read_as(read, span.characters), digit), digit=digit)
    return _repaired(plain, digit, today)


def _unread() -> Validation:
    return Validation(Verdict.NOT_CHECKED, CHECK_DIGIT_RULE, message="not all characters were read")


def _without_digit(reading: SpanReading, text: str) -> SpanReading:
    """A filler in the check digit's place: an empty field, or a number that goes on in the next field."""
    if not reading.read.strip("<"):
        return replace(reading, validation=Validation(Verdict.VALID, CHECK_DIGIT_RULE, "0", "<"))
    goes_on = long_number(text, reading.span)
    if goes_on is None:
        return replace(reading, validation=_verdict(reading.read, "<"))
    if MISSING in goes_on.number + goes_on.digit:
        return replace(reading, validation=_unread())
    return replace(
        reading,
        read="".join(text[at] for at in field_places(reading.span, goes_on.continued)),
        text=goes_on.number,
        validation=_verdict(goes_on.number, goes_on.digit),
        continued=goes_on.continued,
    )


def _repaired(reading: SpanReading, digit: str, today: date) -> SpanReading:
    span = reading.span
    found = repairs(
        reading.glyphs,
        reading.read,
        span.characters,
        lambda value: agrees(value, digit) and possible(value, span.content, today),
    )
    proven = the_one(found)
    reading = replace(reading, candidates=tuple(found))
    if proven is not None:
        return _corrected(reading, proven.text, digit, CHECK_DIGIT_RULE)
    shown = read_as(reading.read, span.characters)
    return replace(reading, validation=_verdict(shown, digit), digit=digit)


def _corrected(reading: SpanReading, text: str, digit: str, proof: str) -> SpanReading:
    return replace(
        reading,
        text=text,
        validation=_verdict(text, digit),
        corrections=corrections(reading.read, text, proof),
        digit=digit,
    )


def _verdict(text: str, digit: str, rule: str = CHECK_DIGIT_RULE) -> Validation:
    expected = check_digit(text)
    if expected == digit:
        return Validation(Verdict.VALID, rule, expected, digit)
    message = f"check digit is {digit}, the characters give {expected}"
    return Validation(Verdict.INVALID, rule, expected, digit, message)


def possible(value: str, content: Content, today: date) -> bool:
    """Whether a value can stand in a field: dates must be dates."""
    match content:
        case Content.BIRTH_DATE:
            return bool(birth_date(value, today))
        case Content.EXPIRY_DATE:
            return not value.strip("<") or bool(expiry_date(value, today))
        case _:
            return True


def _line_texts(zone: Zone, readings: Sequence[SpanReading]) -> dict[int, str]:
    """The lines with proven values and check digits in place."""
    texts = {number: list(line.text) for number, line in zone.lines.items()}
    for reading in readings:
        characters = texts[reading.line.layout.number]
        span = reading.span
        if not reading.continued:
            characters[span.start : span.end] = reading.text
        if span.check is not None and reading.digit:
            characters[span.check] = reading.digit
    return {number: "".join(characters) for number, characters in texts.items()}


def proven_line(zone: Zone, proof: Proof, number: int) -> str:
    """One line with all proven corrections, `?` where nothing was read."""
    text = _line_texts(zone, proof.readings)[number]
    composite = zone.mrz_format.composite
    if (
        composite
        and composite.line == number
        and proof.composite
        and proof.composite.verdict is Verdict.VALID
    ):
        return text[: composite.position] + proof.composite.actual + text[composite.position + 1 :]
    return text


def _composite_validation(
    zone: Zone, readings: Sequence[SpanReading], composite: CompositeCheck
) -> Validation | None:
    covered = composite_text(_line_texts(zone, readings), zone.mrz_format)
    digit = as_digits(zone.lines[composite.line].text[composite.position])
    if covered is None or digit == MISSING:
        return None
    return _verdict(covered, digit, COMPOSITE_RULE)


def _settled_by_composite(
    zone: Zone, readings: list[SpanReading], composite: CompositeCheck
) -> list[SpanReading]:
    """Lets the composite digit judge where exactly one field is in doubt or was repaired."""
    doubtful = [place for place, reading in enumerate(readings) if _in_doubt(reading)]
    before = _composite_validation(zone, readings, composite)
    if before is None or not before.actual.isdigit() or len(doubtful) != 1:
        return readings
    place = doubtful[0]

    def holds(reading: SpanReading) -> bool:
        return _holds(zone, [*readings[:place], reading, *readings[place + 1 :]], composite)

    doubted = readings[place]
    possible_repairs = [repair for repair in doubted.candidates if holds(_chosen(doubted, repair))]
    if len(possible_repairs) > 1:
        return readings  # the composite digit cannot choose either
    if possible_repairs:
        settled = _chosen(doubted, possible_repairs[0]) if possible_repairs[0].seen else doubted
    else:
        settled = _as_read(doubted)
        before = _composite_validation(zone, [*readings[:place], settled, *readings[place + 1 :]], composite)
        if before is not None and _digit_misread(settled, before, composite):
            settled = _with_expected_digit(settled)
    return [*readings[:place], settled, *readings[place + 1 :]]


def _in_doubt(reading: SpanReading) -> bool:
    repaired = bool(reading.candidates) and reading.candidates[0].exchanged > 0
    return reading.span.check is not None and (repaired or reading.validation.verdict is Verdict.INVALID)


def _chosen(reading: SpanReading, repair: Repair) -> SpanReading:
    return _corrected(reading, repair.text, reading.digit, COMPOSITE_RULE)


def _as_read(reading: SpanReading) -> SpanReading:
    """The reading without a repair that the composite digit contradicts."""
    shown = read_as(reading.read, reading.span.characters)
    if reading.continued or not reading.digit:
        return reading
    return replace(reading, text=reading.read, validation=_verdict(shown, reading.digit), corrections=())


def _with_expected_digit(reading: SpanReading) -> SpanReading:
    """The value as read, with the check digit it should have."""
    text = read_as(reading.read, reading.span.characters)
    return _corrected(reading, text, reading.validation.expected, COMPOSITE_RULE)


def _holds(zone: Zone, readings: Sequence[SpanReading], composite: CompositeCheck) -> bool:
    validation = _composite_validation(zone, readings, composite)
    return validation is not None and validation.verdict is Verdict.VALID


def _digit_misread(reading: SpanReading, before: Validation, composite: CompositeCheck) -> bool:
    """Whether the composite digit proves that the field's check digit, not its value, was misread."""
    expected, actual = reading.validation.expected, reading.validation.actual
    span = reading.span
    if not actual.isdigit() or span.check is None or reading.continued or expected == actual:
        return False
    place = 0
    for line, start, end in composite.parts:
        if line == reading.line.layout.number and start <= span.start < end:
            at, cover = place + span.start - start, place + span.check - start
            own = (int(expected) - int(actual)) % 10
            whole = (int(before.expected) - int(before.actual)) % 10
            return check_digit_misread(own, whole, at, span.end - span.start, cover)
        place += end - start
    return False
