"""From what a line shows to the card it names: junk at its ends, names that are cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vidence_server.extraction.types.decklist.catalogue import CardCatalogue, Match, key_of

SURE = 0.72
"""Likeness from which a text with a count is taken for a name."""
SURE_ALONE = 0.78
"""The same for a text that stands alone: a title in a picture, or anything else."""
MAYBE = 0.64
"""The same for a text that stands where a title must be: in line with others, between them."""
SHORT = 4
"""Names with so few letters must be read without a mistake."""
SAME = 0.985
"""From here on a text is a name, whatever else is like it."""
_MARGIN = 0.06
"""By how much a name must be more alike than any other."""
_TRIM_COST = 0.01
_MOST_TRIMMED = 4
_CUT_LEAST = 6
"""Letters of a cut-off name that must be seen."""
_UNMARKED_LEAST = 10
_UNMARKED_SURE = 0.95
"""What is cut off without dots must be so long and so well read."""

_CUT = re.compile(r"^(?P<seen>.*?[^\W_])\s*(?:\.{2,}|…)")
_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class ReadName:
    """A name as it was read, and what the catalogue makes of it."""

    raw: str
    """The part of the line that is the name."""
    start: int
    """Its position in the text that was searched."""
    match: Match | None
    """None where the catalogue has nothing that is clearly meant."""
    others: tuple[Match, ...] = ()
    """What it might be as well, most alike first."""


def resolve(text: str, catalogue: CardCatalogue, *, least: float) -> ReadName:
    """The card that a text names, with mana costs and other junk at its ends left out.

    Args:
        text: the line, or the part of it that holds the name.
        catalogue: all names there are.
        least: likeness a name needs.
    """
    best = ReadName(text.strip(), len(text) - len(text.lstrip()), None)
    best_score = 0.0
    for start, end, trimmed, cut_off in _spans(text):
        raw = text[start:end]
        found = catalogue.find(raw, cut_off=cut_off)
        if not found:
            continue
        score = found[0].score - _TRIM_COST * trimmed
        if score > best_score and _plausible(raw, found, least, cut_off=cut_off):
            best_score = score
            best = ReadName(raw, start, found[0], _rivals(found))
        if found[0].score == 1.0 and not cut_off:
            break
    return best if best.match is not None else _beginning(text.strip(), best, catalogue)


def _beginning(text: str, unknown: ReadName, catalogue: CardCatalogue) -> ReadName:
    """The one name that begins with a text, where a name may have been cut off without a sign of it."""
    if len(key_of(text)) < _UNMARKED_LEAST:
        return unknown
    found = catalogue.find(text, cut_off=True)
    if not found or found[0].score < _UNMARKED_SURE or (len(found) > 1 and found[1].score >= _UNMARKED_SURE):
        return unknown
    return ReadName(text, unknown.start, Match(found[0].name, found[0].score * _UNMARKED_SURE))


def _spans(text: str) -> Iterator[tuple[int, int, int, bool]]:
    """Parts of a text that may be the name: start, end, tokens left out, whether it is cut off."""
    cut = _CUT.match(text)
    if cut and len(key_of(cut["seen"])) >= _CUT_LEAST:
        tokens = [match.span() for match in _TOKEN.finditer(cut["seen"])]
        for skipped in range(_leading_junk(cut["seen"], tokens) + 1):
            yield tokens[skipped][0], tokens[-1][1], skipped, True
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    if not tokens:
        return
    trailing = _trailing_junk(text, tokens)
    for skipped in range(_leading_junk(text, tokens) + 1):
        for dropped in range(trailing + 1):
            if skipped + dropped < len(tokens):
                yield tokens[skipped][0], tokens[len(tokens) - 1 - dropped][1], skipped + dropped, False


def _trailing_junk(text: str, tokens: list[tuple[int, int]]) -> int:
    """How many tokens at the end have no word in them: mana costs, symbols, counts."""
    count = 0
    for start, end in reversed(tokens[1:]):
        if _WORD.search(text[start:end]) or count == _MOST_TRIMMED:
            break
        count += 1
    return count


def _leading_junk(text: str, tokens: list[tuple[int, int]]) -> int:
    start, end = tokens[0]
    return 0 if len(tokens) == 1 or _WORD.search(text[start:end]) else 1


def _plausible(raw: str, found: tuple[Match, ...], least: float, *, cut_off: bool) -> bool:
    best = found[0]
    length = len(key_of(raw))
    if best.score < least or (length <= SHORT and best.score < SAME):
        return False
    if len(found) > 1 and best.score < SAME and best.score - found[1].score < _MARGIN:
        return False
    return cut_off or not _goes_on(raw, best.name)


def _goes_on(raw: str, name: str) -> bool:
    """Whether whole words follow the name: then it is a sentence that begins with it."""
    read, listed = key_of(raw), key_of(name)
    words = _WORD.findall(raw)
    return len(read) > len(listed) and read.startswith(listed) and len(words) > len(_WORD.findall(name))


def _rivals(found: tuple[Match, ...]) -> tuple[Match, ...]:
    return tuple(other for other in found[1:] if found[0].score - other.score < 2 * _MARGIN)
