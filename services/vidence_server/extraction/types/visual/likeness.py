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


def labelled_likeness(lines: Sequence[TextLine], *, titled: Sequence[str], untitled: bool) -> float:
    """0–1, by how many different fields have a label.

    Args:
        lines: some of a page's.
        titled: words of the document's title that speak for the type.
        untitled: whether a page without any title may be of the type.
    """
    keys = {
        found.key for line in lines if (found := LABELS.find(line.text)) and found.key.startswith(_PERSONAL)
    }
    if len(keys) < _LEAST_KEYS:
        return 0.0
    texts = [plain(line.text) for line in lines]
    own = any(
        fuzz.partial_ratio(plain(title), text) >= _TITLE
        for title in titled
        for text in texts
        if len(text) > 5
    )
    if not own and not untitled:
        return 0.0
    return float(1 - _DOUBT ** (len(keys) + (2 if own else 0)))
