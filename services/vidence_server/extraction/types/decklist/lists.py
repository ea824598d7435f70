"""Decks written as text: one card a line, headings, an empty line before the sideboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from vidence_server.extraction.types.decklist.deck import DeckEntry, PlacedLine
from vidence_server.extraction.types.decklist.grammar import Heading, Section

_GAP = 1.6
"""An empty line: so many times the usual step from line to line."""
_MAIN_LEAST, _SIDEBOARD_MOST = 40, 15
"""Without headings, cards behind a gap are a sideboard if there are at most 15 of them after 40 or more."""


def list_entries(columns: Sequence[Sequence[PlacedLine]]) -> list[DeckEntry]:
    """The entries of a written deck, in order.

    Args:
        columns: all lines, by column and from top to bottom.
    """
    sections = SectionTracker()
    entries: list[DeckEntry] = []
    gaps: list[int] = []
    headed = False
    for column in columns:
        step = _usual_step(column)
        above: PlacedLine | None = None
        for line in column:
            if line.item.heading is not None and not line.item.is_entry:
                sections.heading(line.item.heading)
                headed = headed or line.item.heading.section is not None
            elif (entry := entry_from(line, sections.section)) is not None:
                if above is not None and step and line.middle - above.middle > _GAP * step:
                    gaps.append(len(entries))
                entries.append(entry)
            else:
                continue
            above = line
    return entries if headed else _split_at_gap(entries, gaps)


def entry_from(line: PlacedLine, section: Section) -> DeckEntry | None:
    """The entry that a line holds; None where it has no count."""
    found = line.item
    if found.entry is None or found.entry_name is None:
        return None
    own = Section.SIDEBOARD if found.entry.sideboard else section
    return DeckEntry(found, found.entry_name, found.entry.count, own)


class SectionTracker:
    """Which section the lines belong to, heading by heading."""

    def __init__(self) -> None:
        self.section = Section.MAIN
        self._with_total = False

    def heading(self, heading: Heading) -> None:
        """Takes the next heading; a group of cards (`Lands (20)`) after one of its kind ends a sideboard."""
        if heading.section is not None:
            self.section, self._with_total = heading.section, heading.total is not None
        elif self._with_total and heading.total is not None:
            self.section = Section.MAIN


def _usual_step(column: Sequence[PlacedLine]) -> float:
    steps = [below.middle - above.middle for above, below in pairwise(column)]
    return median(steps) if steps else 0.0


def _split_at_gap(entries: list[DeckEntry], gaps: Sequence[int]) -> list[DeckEntry]:
    """The last gap that parts a main deck from what can be a sideboard makes it one."""
    for gap in reversed(gaps):
        before, behind = sum(e.count for e in entries[:gap]), sum(e.count for e in entries[gap:])
        if before >= _MAIN_LEAST and behind <= _SIDEBOARD_MOST:
            side = [replace(entry, section=Section.SIDEBOARD, section_told=False) for entry in entries[gap:]]
            return [*entries[:gap], *side]
    return entries
