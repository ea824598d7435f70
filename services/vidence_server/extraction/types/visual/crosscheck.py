"""What the visual zone and the machine readable zone say about each other."""

from __future__ import annotations

import re
import unicodedata
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
from vidence_server.extraction.types.visual.values import DATES

CROSS_RULE = "mrz.visual_zone"
CONFLICT_KEY = "document.conflict"
_NAMES = frozenset({"person.surname", "person.given_names"})
_LEGIBLE = 0.8
"""Visual readings less sure than this contradict nothing."""
_ALIKE, _UNLIKE = 88.0, 75.0
"""Likeness of names (0–100) from which they are the same, and below which they are not."""
_ALIKE_DIGITS = str.maketrans("OQIlBSZG", "00118526")
_TRANSCRIBED = (
    (("ä", "æ"), "ae"),
    (("ö", "ø", "œ"), "oe"),
    (("ü",), "ue"),
    (("å",), "aa"),
    (("ß",), "ss"),
    (("ñ",), "n"),
)


def merged(mrz: Iterable[ExtractedField], visual: Iterable[ExtractedField]) -> Iterator[ExtractedField]:
    """The fields of both zones, each key once, and a field for every conflict between them.

    What a check digit proves stays. What none covers is proved by agreement. What a check contradicts gives
    way to the visual zone, with the zone's value as alternative.
    """
    seen = {field.key: field for field in visual if field.value}
    conflicts: list[ExtractedField] = []
    zone_keys = set()
    for field in mrz:
        other = seen.get(field.key) if field.index == 0 else None
        if field.index == 0 and (field.value or field.raw_value):
            zone_keys.add(field.key)
        if other is None:
            yield field
            continue
        yield _judged(field, other)
        if _contradicts(field, other):
            conflicts.append(_conflict(field, other, len(conflicts) + 1))
    yield from (field for key, field in seen.items() if key not in zone_keys)
    yield from conflicts


def _judged(field: ExtractedField, other: ExtractedField) -> ExtractedField:
    verdict = field.validation.verdict
    if (
        field.validation.verdict is Verdict.INVALID
        and other.confidence >= _LEGIBLE
        and not agrees(field, other)
    ):
        zone = Alternative(field.value, field.confidence) if field.value else None
        return replace(other, alternatives=(zone,) if zone else ())
    if not field.value:
        return other
    if verdict is Verdict.NOT_CHECKED and agrees(field, other):
        return replace(field, validation=Validation(Verdict.VALID, CROSS_RULE))
    return field


def agrees(field: ExtractedField, other: ExtractedField) -> bool:
    """Whether both zones say the same, but for transcription, truncation and small misreadings."""
    if field.key in _NAMES:
        return max(
            fuzz.ratio(_letters(field.value), spelt) for spelt in _spellings(other.value)
        ) >= _ALIKE or _cut(field, other)
    if field.key == "document.number":
        return field.value.upper().translate(_ALIKE_DIGITS) == other.value.upper().translate(_ALIKE_DIGITS)
    return field.value == other.value


def _cut(field: ExtractedField, other: ExtractedField) -> bool:
    """Whether a zone's name is the beginning of the visual zone's: long names are truncated there."""
    own = _letters(field.value)
    return len(own) > 12 and any(spelt.startswith(own) for spelt in _spellings(other.value))


def _contradicts(field: ExtractedField, other: ExtractedField) -> bool:
    if not field.value or other.confidence < _LEGIBLE or agrees(field, other):
        return False
    if field.key in _NAMES:
        return max(fuzz.ratio(_letters(field.value), spelt) for spelt in _spellings(other.value)) < _UNLIKE
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


def _letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z]", "", decomposed)


def _spellings(text: str) -> tuple[str, str]:
    """Letters without their marks, and as ICAO Doc 9303-3 section 6 transcribes them."""
    transcribed = text.casefold()
    for letters, plain in _TRANSCRIBED:
        for letter in letters:
            transcribed = transcribed.replace(letter, plain)
    return _letters(text), _letters(transcribed)


def by_key(fields: Iterable[ExtractedField]) -> Mapping[tuple[str, int], ExtractedField]:
    """The last reading of each field."""
    return {(field.key, field.index): field for field in fields}
