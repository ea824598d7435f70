"""Names of the machine readable zone that were read with digits, and what the visual zone proves about them.

No check digit covers a name, but its alphabet has no digits (ICAO Doc 9303-3, section 4.6): a digit in a
name is a misread letter. Which one, nothing in the zone tells; the visual zone does, where it spells the same
name.
"""

from __future__ import annotations

from dataclasses import replace

from vidence_server.extraction.domain.document import Correction, ExtractedField, Validation, Verdict
from vidence_server.extraction.types.mrz.confusions import DIGIT_FOR_LETTER
from vidence_server.extraction.types.mrz.names import readable
from vidence_server.extraction.types.visual.spelling import CROSS_RULE, spellings

_CORRECTED = 0.9
"""What remains of the visual reading's confidence where it corrects a character."""
_TRUNCATED_FROM = 12
"""A name of more letters than this may have been cut off at the end of its field."""


def by_print(field: ExtractedField, other: ExtractedField) -> ExtractedField | None:
    """The zone's name with its digits as the letters that are printed; None where the print proves none.

    Every letter that was read must be the printed one, and every printed letter in place of a digit must
    resemble it: one that merely is as long proves nothing.

    Args:
        field: a name of the machine readable zone, any digits in its `raw_value`.
        other: the same name in the visual zone.
    """
    raw = field.raw_value
    if field.value or not any(char.isdigit() for char in raw):
        return None
    text = next(filter(None, (_spelt(raw, printed) for printed in spellings(other.value))), None)
    if text is None:
        return None
    corrections = tuple(
        Correction(place, was, now, CROSS_RULE)
        for place, (was, now) in enumerate(zip(raw, text, strict=True))
        if was != now
    )
    value = readable(text)
    return replace(
        field,
        value=value,
        confidence=max(field.confidence, other.confidence * _CORRECTED),
        validation=Validation(Verdict.VALID, CROSS_RULE),
        alternatives=tuple(one for one in field.alternatives if one.value != value),
        corrections=corrections,
    )


def _spelt(raw: str, printed: str) -> str | None:
    """`raw` with each digit as the printed letter; None where they do not spell the same name."""
    places = [place for place, char in enumerate(raw) if char != "<"]
    cut = _TRUNCATED_FROM < len(places) < len(printed)
    if len(places) != len(printed) and not cut:
        return None
    text = list(raw)
    for place, letter in zip(places, printed.upper(), strict=False):
        if raw[place].isdigit():
            if DIGIT_FOR_LETTER.get(letter) != raw[place]:
                return None
            text[place] = letter
        elif raw[place] != letter:
            return None
    return "".join(text)
