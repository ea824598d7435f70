"""Whether a document writes the month before the day."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMERIC = re.compile(r"(?<![\d/.-])(\d{1,2})[/.\-](\d{1,2})[/.\-](?:\d{4}|\d{2})(?!\d|[/.\-]\d)")
_UNITED_STATES = re.compile(
    r"\bUSA\b|\bUNITED STATES OF AMERICA\b|\b4[AB]\.? ?(?:ISS|EXP)\b|\bDLN?\b|\bDRIVER'?S? LICENSE\b|"
    r"\bREAL ID\b",
    re.IGNORECASE,
)
_MOST_MONTHS = 12


def month_first(texts: Iterable[str]) -> bool:
    """Judged by all lines of the document.

    A day above 12 tells the order of every other date beside it. Where none does, or they disagree, words of
    the United States tell: nobody else who writes Latin letters puts the month first.
    """
    lines = list(texts)
    pairs = [(int(found[1]), int(found[2])) for text in lines for found in _NUMERIC.finditer(text)]
    shown_first = any(first <= _MOST_MONTHS < second for first, second in pairs)
    shown_last = any(second <= _MOST_MONTHS < first for first, second in pairs)
    if shown_first != shown_last:
        return shown_first
    return any(_UNITED_STATES.search(text) for text in lines)
