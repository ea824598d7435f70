"""How much lines look like those of a decklist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vidence_server.extraction.types.decklist.catalogue import key_of
from vidence_server.extraction.types.decklist.grammar import count_of, entry_of, heading_of, total_of
from vidence_server.extraction.types.decklist.pictures import is_type_line
from vidence_server.vision.text import TextLine

_DOUBT = 0.55
"""What is left of the doubt after each ground."""
_SEVERAL, _MANY = 3, 6
_MOST_COPIES = 30
_NAME_LETTERS = 4
_AMOUNT_SIGNS = frozenset("$€£₱@%.:/")


def decklist_likeness(lines: Sequence[TextLine]) -> float:
    """0–1; each different ground counts once."""
    texts = [line.text.strip() for line in lines]
    entries = sum(map(_is_entry, texts))
    counts = sum(count_of(text) is not None for text in texts)
    headings = [heading for text in texts if (heading := heading_of(text)) is not None]
    sections = any(heading.section is not None for heading in headings)
    keys = Counter(key for text in texts if len(key := key_of(text)) > _MANY and key.isalpha())
    grounds = (
        entries >= _SEVERAL,
        entries >= _MANY,
        entries * 2 > len(texts) > _SEVERAL,
        counts >= _SEVERAL,
        counts >= _MANY,
        sections,
        sections,
        any(total_of(text) is not None for text in texts),
        sum(map(is_type_line, texts)) >= 2,
        sum(count >= _SEVERAL for count in keys.values()) >= 2,
        any(heading.section is None for heading in headings),
    )
    return float(1 - _DOUBT ** sum(grounds))


def _is_entry(text: str) -> bool:
    """A small count and a name without signs of money: no position of a receipt, no address."""
    entry = entry_of(text)
    if entry is None or not text[0].isdigit() or entry.count > _MOST_COPIES:
        return False
    return len(key_of(entry.name)) >= _NAME_LETTERS and not set(entry.name) & _AMOUNT_SIGNS
