"""From a proven zone to fields with standard keys and normalised values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from vidence_server.extraction.domain.document import (
    NOT_CHECKED,
    Alternative,
    Correction,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.mrz.catalogue import SEXES
from vidence_server.extraction.types.mrz.confusions import as_letters
from vidence_server.extraction.types.mrz.countries import country
from vidence_server.extraction.types.mrz.dates import birth_date, expiry_date
from vidence_server.extraction.types.mrz.extent import LENGTH_RULE
from vidence_server.extraction.types.mrz.fitting import FILLER, FittedLine
from vidence_server.extraction.types.mrz.formats import Content
from vidence_server.extraction.types.mrz.glyphs import Glyph, enclosing
from vidence_server.extraction.types.mrz.names import NamePart, parse_names, readable
from vidence_server.extraction.types.mrz.proof import Proof, SpanReading, possible, proven_line
from vidence_server.extraction.types.mrz.repair import CHECK_DIGIT_RULE, corrections, read_as
from vidence_server.extraction.types.mrz.score import MISSING
from vidence_server.extraction.types.mrz.zone import Zone

DATE_RULE = "icao9303.date"
NAME_RULE = "icao9303.name_characters"

_CONTRADICTED = 0.5
"""What remains of a confidence where a rule says that the value is wrong."""
_ASSUMED = 0.5
"""What remains of a confidence where the value is right only if fillers were rightly added or left out."""
_REPAIRED = 0.9
"""What remains of a confidence where a character was corrected."""
_UNLIKELY = 0.1
"""Confidence of an alternative that only resembles what was read."""


def interpret(zone: Zone, proof: Proof, today: date) -> Iterator[ExtractedField]:
    """The fields of a zone, all with revision 1; those of which nothing was read are left out."""
    yield _field("mrz.format", zone.mrz_format.name, zone.mrz_format.name, (), NOT_CHECKED)
    for number in sorted(zone.lines):
        yield _line(zone, proof, number)
    taken = sum(reading.continued for reading in proof.readings)
    for reading in proof.readings:
        if not reading.read.strip(MISSING):
            continue
        match reading.span.content:
            case Content.NAMES:
                yield from _names(reading)
            case Content.OPTIONAL:
                yield _optional(reading, taken if reading.span.key == "document.optional_data" else 0)
            case Content.BIRTH_DATE | Content.EXPIRY_DATE:
                yield _date(reading, today)
            case Content.SEX:
                yield _of(reading, SEXES.get(reading.read, ""), reading.validation)
            case Content.COUNTRY:
                yield _of(reading, country(reading.text), reading.validation, _other_countries(reading))
            case Content.CODE | Content.NUMBER:
                yield _plain(reading)
    yield from _composite(zone, proof)


def _field(
    key: str,
    raw: str,
    value: str,
    glyphs: Sequence[Glyph | None],
    validation: Validation,
    *,
    index: int = 0,
    fixed: tuple[Correction, ...] = (),
    alternatives: tuple[Alternative, ...] = (),
) -> ExtractedField:
    seen = [glyph for glyph in glyphs if glyph is not None]
    confidence = sum(glyph.confidence for glyph in seen) / len(seen) if seen else 1.0
    if validation.verdict is Verdict.INVALID:
        confidence *= _CONTRADICTED
    elif validation.rule == LENGTH_RULE and validation.verdict is Verdict.NOT_CHECKED:
        confidence *= _ASSUMED
    elif fixed:
        confidence *= _REPAIRED
    return ExtractedField(
        key=key,
        index=index,
        revision=1,
        raw_value=raw,
        value=value,
        confidence=min(1.0, max(0.0, confidence)),
        quad=enclosing([glyph for glyph in seen if glyph.char != "<"]),
        source=FieldSource.MRZ,
        validation=validation,
        alternatives=alternatives,
        corrections=fixed,
    )


def _line(zone: Zone, proof: Proof, number: int) -> ExtractedField:
    line = zone.lines[number]
    length, count = line.layout.length, len(line.row.glyphs)
    if not line.complete:
        message = f"{count} of {length} characters were read"
        validation = Validation(Verdict.INVALID, LENGTH_RULE, str(length), str(count), message)
        return _field("mrz.line", line.row.text, "", line.row.glyphs, validation, index=number)
    proven = proven_line(zone, proof, number)
    proofs = {
        reading.span.start + correction.position: correction.proof
        for reading in proof.readings
        if reading.line is line
        for correction in reading.corrections
    }
    edits = _line_edits(line, proven, proofs)
    validations = (reading.validation for reading in proof.readings if reading.line is line)
    unsure = next((each for each in validations if each.rule == LENGTH_RULE), None)
    validation = unsure or Validation(Verdict.VALID, LENGTH_RULE, str(length), str(length))
    return _field("mrz.line", line.row.text, proven, line.row.glyphs, validation, index=number, fixed=edits)


def _line_edits(line: FittedLine, proven: str, proofs: Mapping[int, str]) -> tuple[Correction, ...]:
    """Fillers added and removed, and characters corrected, by their place in the row as read."""
    text, used = line.row.text, set(line.plan)
    edits = [Correction(at, char, "", LENGTH_RULE) for at, char in enumerate(text) if at not in used]
    next_read = 0
    for position, at in enumerate(line.plan):
        if at == FILLER:
            edits.append(Correction(next_read, "", "<", LENGTH_RULE))
            continue
        next_read = at + 1
        if text[at] != proven[position]:
            rule = proofs.get(position, CHECK_DIGIT_RULE)
            edits.append(Correction(at, text[at], proven[position], rule))
    return tuple(sorted(edits, key=lambda edit: edit.position))


def _composite(zone: Zone, proof: Proof) -> Iterator[ExtractedField]:
    composite, validation = zone.mrz_format.composite, proof.composite
    if composite is None or validation is None:
        return
    line = zone.lines[composite.line]
    raw = line.text[composite.position]
    value = validation.actual if validation.actual.isdigit() else ""
    fixed = corrections(raw, value, validation.rule) if validation.verdict is Verdict.VALID else ()
    glyphs = (line.glyph(composite.position),)
    yield _field("mrz.composite_check", raw, value, glyphs, validation, fixed=fixed)


def _of(
    reading: SpanReading, value: str, validation: Validation, others: tuple[Alternative, ...] = ()
) -> ExtractedField:
    return _field(
        reading.span.key,
        reading.read.replace(MISSING, ""),
        value,
        reading.glyphs,
        validation,
        fixed=reading.corrections,
        alternatives=others,
    )


def _others(values: Iterable[tuple[str, float]], chosen: str) -> tuple[Alternative, ...]:
    """The values that are not empty and were not chosen."""
    return tuple(Alternative(value, likely) for value, likely in values if value not in {"", chosen})


def _plain(reading: SpanReading) -> ExtractedField:
    """A code or number: its characters without fillers."""
    value = "" if MISSING in reading.text else reading.text.replace("<", "")
    others = ((repair.text.replace("<", ""), repair.probability) for repair in reading.candidates)
    return _of(reading, value, reading.validation, _others(others, value))


def _other_countries(reading: SpanReading) -> tuple[Alternative, ...]:
    """Codes that exist, one character of the recogniser's alternatives away from one that does not."""
    if country(reading.text) or MISSING in reading.read:
        return ()
    codes = (
        (country(reading.read[:place] + other + reading.read[place + 1 :]), probability)
        for place, glyph in enumerate(reading.glyphs)
        for other, probability in (glyph.alternatives if glyph else ())
    )
    return tuple(sorted(_others(codes, ""), key=lambda other: -other.confidence))


def _date(reading: SpanReading, today: date) -> ExtractedField:
    content = reading.span.content
    normalise = birth_date if content is Content.BIRTH_DATE else expiry_date
    value = normalise(reading.text, today)
    validation = reading.validation
    if MISSING not in reading.text and not possible(reading.text, content, today):
        validation = Validation(Verdict.INVALID, DATE_RULE, message="not a date")
    candidates = {repair.text: repair.probability for repair in reading.candidates}
    candidates.setdefault(read_as(reading.read, reading.span.characters), _UNLIKELY)
    dates = ((normalise(text, today), probability) for text, probability in candidates.items())
    return _of(reading, value, validation, _others(dates, value))


def _optional(reading: SpanReading, taken: int) -> ExtractedField:
    """Optional data; its first characters may belong to a long document number.

    Args:
        reading: the field.
        taken: characters from the number's check digit on that belong to the number, 0 for none.
    """
    skipped = min(len(reading.text), max(0, taken - 1))
    text = reading.text[skipped:]
    value = "" if MISSING in text else readable(text)
    others = ((readable(repair.text), repair.probability) for repair in reading.candidates)
    return _field(
        reading.span.key,
        reading.read[skipped:].replace(MISSING, ""),
        value,
        reading.glyphs[skipped:],
        reading.validation,
        fixed=reading.corrections,
        alternatives=_others(others, value),
    )


def _names(reading: SpanReading) -> Iterator[ExtractedField]:
    names = parse_names(reading.text.replace(MISSING, "<"))
    alone = names.given_names.start == names.given_names.end
    yield _name(reading, "person.surname", names.surname, truncated=names.truncated and alone)
    yield _name(reading, "person.given_names", names.given_names, truncated=names.truncated)


def _name(reading: SpanReading, key: str, part: NamePart, *, truncated: bool) -> ExtractedField:
    raw = part.of(reading.text)
    glyphs = reading.glyphs[part.start : part.end]
    if any(char.isdigit() for char in raw):
        validation = Validation(Verdict.INVALID, NAME_RULE, message="names hold no digits")
        lettered = readable(as_letters(raw))
        plain = not any(char.isdigit() for char in lettered)
        others = (Alternative(lettered, _UNLIKELY),) if plain else ()
        return _field(key, raw, "", glyphs, validation, alternatives=others)
    message = "the name fills its field and may go on" if truncated else ""
    validation = Validation(Verdict.NOT_CHECKED, message=message)
    return _field(key, raw, readable(raw), glyphs, validation)
