"""Decks shown as pictures of cards: titles, counts beside or below them, stacks of copies.

Nothing here knows one program's looks. What holds for all of them: a title stands at the top of its card;
cards stand in columns with one left edge; a count stands in its title's row, or on the card below the title
and above the next title; the text of a card is below its type line, which ends its picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from rapidfuzz import fuzz

from vidence_server.extraction.types.decklist.deck import DeckEntry, PlacedLine
from vidence_server.extraction.types.decklist.grammar import Section
from vidence_server.extraction.types.layout import line_height

_TYPES = (
    "artifact",
    "battle",
    "creature",
    "enchantment",
    "instant",
    "land",
    "planeswalker",
    "sorcery",
    "tribal",
    "kindred",
)
_SUPERTYPES = ("legendary", "basic", "snow", "world", "token")
_WORD_LIKENESS = 82.0
"""Likeness (0–100) from which a word is taken for a card type's."""
_TEXT_BOX = 0.62
"""Height of what is below a type line, in widths of a card: 88 mm × 63 mm, the type line at 4/7 of it."""
_EDGE = 2.5
"""Titles of one column begin within so many line heights."""
_ALIGNED = 0.8
"""A doubtful title begins so near to its column's edge, in line heights."""
_STEPS = 1.4
"""A doubtful title is so near to a sure one, in steps of its column."""
_CLOSE = 1.0
"""A count this near to a title, in its own heights, is the title's, whatever lies above."""
_COUNTED_SHARE = 0.25
"""Share of the titles that must have a count for a deck to be one with counts."""
_SECTION_EDGE = 3.0
"""A heading covers what begins at most so many line heights left of it."""


def picture_entries(lines: Sequence[PlacedLine]) -> list[DeckEntry]:
    """The entries of a deck of pictures; copies of a name that has no count anywhere are counted."""
    titles = _titles(lines)
    if not titles:
        return []
    columns = _columns(titles)
    counts = _assigned_counts(lines, columns)
    entries = [
        DeckEntry(
            source=title.item,
            name=title.item.alone,
            count=counts[id(title)].item.count or counts[id(title)].item.number or 1
            if id(title) in counts
            else 1,
            section=section_at(title, lines),
            count_line=counts[id(title)].item.line if id(title) in counts else None,
            counted=id(title) in counts,
        )
        for column in columns
        for title in column
        if title.item.alone is not None
    ]
    counted = sum(entry.counted for entry in entries)
    return entries if counted >= _COUNTED_SHARE * len(entries) else _copies(entries)


def _copies(entries: Sequence[DeckEntry]) -> list[DeckEntry]:
    """Every name once per section, with the number of its titles; the best reading stands for all."""
    found: dict[tuple[str, Section], list[DeckEntry]] = {}
    for entry in entries:
        name = entry.name.match.name if entry.name.match else entry.name.raw
        found.setdefault((name, entry.section), []).append(entry)
    copies = []
    for same in found.values():
        best = max(same, key=lambda entry: entry.name.match.score if entry.name.match else 0.0)
        copies.append(
            DeckEntry(
                best.source, best.name, len(same), best.section, counted=False, section_told=best.section_told
            )
        )
    return copies


def _titles(lines: Sequence[PlacedLine]) -> list[PlacedLine]:
    """Lines that are names, but for those in the text of a card; doubtful ones where titles must be."""
    free = [line for line in lines if line.item.heading is None]
    pitch = _pitch(_columns([line for line in free if line.item.is_title]))
    types = [line for line in free if not line.item.is_title and is_type_line(line.item.line.text)]
    names = [line for line in free if not any(_in_text_box(line, kind, pitch) for kind in types)]
    sure = [line for line in names if line.item.is_title]
    columns = _columns(sure)
    return [*sure, *(line for line in names if not line.item.is_title and _in_line(line, columns))]


def _in_line(line: PlacedLine, columns: Sequence[Sequence[PlacedLine]]) -> bool:
    """Whether a doubtful name begins where a column of titles does, with titles near above and below."""
    if not line.item.may_be_title:
        return False
    for column in columns:
        steps = [below.middle - above.middle for above, below in pairwise(column)]
        aligned = abs(line.left - _edge(column)) < _ALIGNED * line.height
        near = steps and min(abs(title.middle - line.middle) for title in column) < _STEPS * median(steps)
        if aligned and near:
            return True
    return False


def _in_text_box(name: PlacedLine, kind: PlacedLine, pitch: float) -> bool:
    beside = kind.left - kind.height <= name.left < kind.left + pitch * 0.9
    return beside and kind.middle + kind.height * 0.3 < name.middle < kind.middle + _TEXT_BOX * pitch


def is_type_line(text: str) -> bool:
    """Whether a line is a card's type line: `Legendary Creature — Goblin`."""
    words = re.findall(r"[^\W\d_]+|[—–-]", text)
    kinds = 0
    for word in words:
        if word in {"—", "–", "-"}:
            break
        if not _like(word, _TYPES) and not _like(word, _SUPERTYPES):
            return False
        kinds += _like(word, _TYPES)
    return kinds > 0


def _like(word: str, known: Sequence[str]) -> bool:
    return any(fuzz.ratio(word.casefold(), one) >= _WORD_LIKENESS for one in known)


def _columns(titles: Sequence[PlacedLine]) -> list[list[PlacedLine]]:
    """Titles by their left edges, each column from top to bottom."""
    height = line_height(titles)
    columns: list[list[PlacedLine]] = []
    for title in sorted(titles, key=lambda one: one.left):
        if columns and title.left - columns[-1][-1].left <= _EDGE * height:
            columns[-1].append(title)
        else:
            columns.append([title])
    return [sorted(column, key=lambda one: one.middle) for column in columns]


def _pitch(columns: Sequence[Sequence[PlacedLine]]) -> float:
    """Width of a card: from one column to the next, or the widest title where there is one column."""
    edges = [median(title.left for title in column) for column in columns]
    steps = [right - left for left, right in pairwise(edges)]
    if steps:
        return median(steps)
    return max((title.right - title.left for column in columns for title in column), default=0.0) * 1.2


def _assigned_counts(
    lines: Sequence[PlacedLine], columns: Sequence[Sequence[PlacedLine]]
) -> dict[int, PlacedLine]:
    """The count of each title that has one, by `id` of the title; each is taken once."""
    counts = [line for line in lines if line.item.count is not None]
    titles = [title for column in columns for title in column]
    if not counts:
        numbers = [line for line in lines if line.item.number is not None]
        return _numbers_in_front(numbers, titles, lines)
    pitch = _pitch(columns)
    found: dict[int, PlacedLine] = {}
    for count in sorted(counts, key=lambda one: (one.middle, one.left)):
        owner = (
            _beside(count, titles, _CLOSE * count.height)
            or _above(count, columns, pitch)
            or _beside(count, titles, pitch)
        )
        if owner is not None:
            found.setdefault(id(owner), count)
    return found


def _beside(count: PlacedLine, titles: Sequence[PlacedLine], reach: float) -> PlacedLine | None:
    """The title in whose row a count stands, in front of it or behind, at most `reach` px away."""
    row = [
        title
        for title in titles
        if title.shares_row(count) and abs(title.middle - count.middle) < count.height * 0.4
    ]
    behind = [title for title in row if 0 <= title.left - count.right + title.height < reach + title.height]
    before = [title for title in row if 0 <= count.left - title.right + title.height < reach + title.height]
    if behind:
        return min(behind, key=lambda title: title.left)
    return max(before, key=lambda title: title.right) if before else None


def _above(count: PlacedLine, columns: Sequence[Sequence[PlacedLine]], pitch: float) -> PlacedLine | None:
    """The next title above a count that lies on its card."""
    owners = [column for column in columns if -count.height < count.centre - _edge(column) <= pitch * 1.05]
    for column in reversed(owners):
        above = [
            title
            for title in column
            if title.top <= count.middle and count.middle - title.middle < pitch * 1.4
        ]
        if above:
            return above[-1]
    return None


def _edge(column: Sequence[PlacedLine]) -> float:
    return median(title.left for title in column)


def _numbers_in_front(
    numbers: Sequence[PlacedLine], titles: Sequence[PlacedLine], lines: Sequence[PlacedLine]
) -> dict[int, PlacedLine]:
    """Bare numbers as counts, where most titles have one in front and nothing between."""
    found: dict[int, PlacedLine] = {}
    for title in titles:
        row = [line for line in lines if line is not title and line.shares_row(title)]
        before = [line for line in row if line.right <= title.left + title.height * 0.5]
        nearest = max(before, key=lambda line: line.right, default=None)
        if nearest is None or nearest not in numbers:
            continue
        left = [
            line for line in row if line.right <= nearest.left + title.height * 0.5 and line is not nearest
        ]
        gap_left = min((nearest.left - line.right for line in left), default=float("inf"))
        if title.left - nearest.right < gap_left:
            found[id(title)] = nearest
    return found if len(found) * 5 >= len(titles) * 3 else {}


def section_at(entry: PlacedLine, lines: Sequence[PlacedLine]) -> Section:
    """The section whose heading covers a place: the nearest one at its left, then above."""
    headings = [line for line in lines if line.item.heading is not None and line.item.heading.section]
    covering = [
        line
        for line in headings
        if line.left - _SECTION_EDGE * line.height <= entry.left and line.top < entry.middle
    ]
    nearest = max(
        covering, key=lambda line: (round(line.left / max(line.height, 1) / 3), line.top), default=None
    )
    section = nearest.item.heading.section if nearest and nearest.item.heading else None
    return section or Section.MAIN
