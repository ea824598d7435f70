"""What the visual zone and the machine readable zone say about each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rapidfuzz import fuzz

from vidence_server.extraction.domain.document import (
    Alternative,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.visual.misread_names import by_print
from vidence_server.extraction.types.visual.spelling import CROSS_RULE, letters, spellings
from vidence_server.extraction.types.visual.values import DATES

CONFLICT_KEY = "document.conflict"
_NAMES = frozenset({"person.surname", "person.given_names"})
_LEGIBLE = 0.8
"""Visual readings less sure than this contradict nothing."""
_ALIKE, _UNLIKE = 88.0, 75.0
"""Likeness of names (0–100) from which they are the same, and below which they are not."""
_ALIKE_DIGITS = str.maketrans("OQIBSZG", "0018526")


def merged(mrz: Iterable[ExtractedField], visual: Iterable[ExtractedField]) -> Iterator[ExtractedField]:
    """The fields of both zones, each key once, and a field for every conflict between them.

    What a check digit proves stays. What none covers is proved by agreement. A name that was read with
    digits, which no name holds, is corrected where the visual zone spells it with letters that resemble
    them. What a check contradicts gives way to the visual zone, with the zone's values as alternatives.
    """
    seen = {field.key: field for field in visual if field.value}
    conflicts: list[ExtractedField] = []
    for field in mrz:
        other = seen.pop(field.key, None) if field.index == 0 else None
        if other is None:
            yield field
            continue
        judged = _judged(field, other)
        yield judged
        told = judged if judged.source is FieldSource.MRZ else _told(field)
        if _contradicts(told, other):
            conflicts.append(_conflict(told, other, len(conflicts) + 1))
    yield from seen.values()
    yield from conflicts


def _judged(field: ExtractedField, other: ExtractedField) -> ExtractedField:
    verdict = field.validation.verdict
    proven = by_print(field, other) if field.key in _NAMES else None
    if proven is not None:
        return proven
    if not field.value:
        return _printed(field, other)
    allowed = other.value in {one.value for one in field.alternatives}
    if verdict is Verdict.INVALID and other.confidence >= _LEGIBLE and (allowed or not agrees(field, other)):
        return _printed(field, other)
    if verdict is Verdict.NOT_CHECKED and agrees(field, other):
        return replace(field, validation=Validation(Verdict.VALID, CROSS_RULE))
    return field


def _printed(field: ExtractedField, other: ExtractedField) -> ExtractedField:
    """What is printed, in place of what the zone does not tell or a rule contradicts; that is kept beside.

    Where the zone allows what is printed too, the two prove each other.
    """
    own = (Alternative(field.value, field.confidence),) if field.value else ()
    others = tuple(one for one in (*own, *field.alternatives) if one.value != other.value)
    validation = other.validation
    if validation.verdict is Verdict.NOT_CHECKED and other.value in {one.value for one in field.alternatives}:
        validation = Validation(Verdict.VALID, CROSS_RULE)
    return replace(other, alternatives=others, validation=validation)


def _told(field: ExtractedField) -> ExtractedField:
    """The zone's field with what it tells; of a name with digits: with the letters they are most like."""
    if field.value or field.key not in _NAMES or not field.alternatives:
        return field
    return replace(field, value=field.alternatives[0].value)


def agrees(field: ExtractedField, other: ExtractedField) -> bool:
    """Whether both zones say the same, but for transcription, truncation and small misreadings."""
    if field.key in _NAMES:
        return max(
            fuzz.ratio(letters(field.value), spelt) for spelt in spellings(other.value)
        ) >= _ALIKE or _cut(field, other)
    if field.key == "document.number":
        return field.value.translate(_ALIKE_DIGITS) == other.value.translate(_ALIKE_DIGITS)
    return field.value == other.value


def _cut(field: ExtractedField, other: ExtractedField) -> bool:
    """Whether a zone's name is the beginning of the visual zone's: long names are truncated there."""
    own = letters(field.value)
    return len(own) > 12 and any(spelt.startswith(own) for spelt in spellings(other.value))


def _contradicts(field: ExtractedField, other: ExtractedField) -> bool:
    if not field.value or other.confidence < _LEGIBLE or agrees(field, other):
        return False
    if field.key in _NAMES:
        return max(fuzz.ratio(letters(field.value), spelt) for spelt in spellings(other.value)) < _UNLIKE
    if field.key == "document.number":
        return len(field.value) == len(other.value)
    return field.key in DATES or field.key in {"person.sex", "person.nationality"}


def _conflict(field: ExtractedField, other: ExtractedField, index: int) -> ExtractedField:
    message = "the visual zone and the machine readable zone differ"
    return ExtractedField(
        key=CONFLICT_KEY,
        index=index,
        revision=1,
        raw_value=other.raw_value,
        value=field.key,
        confidence=min(field.confidence, other.confidence),
        quad=other.quad,
        source=FieldSource.VISUAL,
        validation=Validation(Verdict.INVALID, CROSS_RULE, field.value, other.value, message),
    )


def by_key(fields: Iterable[ExtractedField]) -> Mapping[tuple[str, int], ExtractedField]:
    """The last reading of each field."""
    return {(field.key, field.index): field for field in fields}
