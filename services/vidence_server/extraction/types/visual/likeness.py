"""How much lines look like those of a document with labelled values."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz

from vidence_server.extraction.types.visual.labels import LABELS, plain
from vidence_server.vision.text import TextLine

_DOUBT = 0.62
_TITLE = 90.0
_PERSONAL = ("person.", "document.")
_LEAST_KEYS = 3
_MOST_UNTITLED = 0.89
"""Below `detect.SURE_LIKENESS`: the title that tells another type may be among the lines to come."""


def labelled_likeness(lines: Sequence[TextLine], *, titled: Sequence[str], untitled: bool) -> float:
    """0–1, by how many different fields have a label.

    Args:
        lines: some of a page's.
        titled: words of the document's title that speak for the type.
        untitled: whether a page without any title may be of the type.
    """
    found = [(line.text, label.key if (label := LABELS.find(line.text)) else "") for line in lines]
    keys = {key for _, key in found if key.startswith(_PERSONAL)}
    if len(keys) < _LEAST_KEYS:
        return 0.0
    # “nationality” is like “national ID”, and is on every passport
    texts = [plain(text) for text, key in found if not key.startswith("person.")]
    own = any(
        fuzz.partial_ratio(plain(title), text) >= _TITLE
        for title in titled
        for text in texts
        if len(text) > 5
    )
    if not own and not untitled:
        return 0.0
    if own:
        return float(1 - _DOUBT ** (len(keys) + 2))
    return min(float(1 - _DOUBT ** len(keys)), _MOST_UNTITLED)
