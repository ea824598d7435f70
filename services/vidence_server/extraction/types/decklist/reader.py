"""Fields out of a decklist, while its lines arrive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vidence_server.extraction.domain.document import ExtractedField
from vidence_server.extraction.types.decklist.catalogue import CardCatalogue
from vidence_server.extraction.types.decklist.deck import Deck, DeckEntry, DeckLine, PlacedLine, understand
from vidence_server.extraction.types.decklist.fields import entry_fields, total_fields
from vidence_server.extraction.types.decklist.grammar import Section
from vidence_server.extraction.types.decklist.lists import SectionTracker, list_entries
from vidence_server.extraction.types.decklist.pictures import picture_entries, section_at
from vidence_server.extraction.types.layout import Placed, columns_of, place_lines
from vidence_server.extraction.types.revisions import Revisions
from vidence_server.vision.text import TextLine

_MOST_GAP = 2.0
"""A total stands below its heading, at most so many of its heights."""


class DecklistReader:
    """Gives entries that are whole in one line at once, everything else when all lines are there."""

    def __init__(self, catalogue: CardCatalogue | None) -> None:
        self._catalogue = catalogue
        self._lines: list[DeckLine] = []
        self._sections = SectionTracker()
        self._indexes: dict[int, int] = {}
        self._revisions = Revisions()

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line; gives its entry where it holds one."""
        found = understand(line, self._catalogue)
        self._lines.append(found)
        if found.heading is not None and not found.is_entry:
            self._sections.heading(found.heading)
        if not found.is_entry or found.entry is None or found.entry_name is None:
            return []
        section = Section.SIDEBOARD if found.entry.sideboard else self._sections.section
        return self._revisions.news(
            self._fields([DeckEntry(found, found.entry_name, found.entry.count, section)])
        )

    def finish(self) -> list[ExtractedField]:
        """Gives the whole deck: what is new or different, and what turned out to be no card is taken back."""
        deck = self._deck()
        return self._revisions.final([*self._fields(deck.entries), *total_fields(deck)])

    @property
    def complete(self) -> bool:
        """Never: the next line may hold another card."""
        return False

    def _fields(self, entries: Iterable[DeckEntry]) -> Iterable[ExtractedField]:
        for entry in entries:
            index = self._indexes.setdefault(entry.source.line.index, len(self._indexes) + 1)
            yield from entry_fields(entry, index, self._catalogue)

    def _deck(self) -> Deck:
        places = place_lines([found.line for found in self._lines])
        placed = [
            Placed(found, place.left, place.top, place.right, place.bottom)
            for found, place in zip(self._lines, places, strict=True)
        ]
        entries = self._entries(placed)
        return Deck(tuple(entries), _totals(placed))

    def _entries(self, placed: Sequence[PlacedLine]) -> list[DeckEntry]:
        """As a list where at least as many lines are entries as are mere names, else as pictures."""
        entries = sum(line.item.is_entry for line in placed)
        if self._catalogue is None or entries > sum(_mere_title(line) for line in placed):
            return list_entries(columns_of(placed))
        return picture_entries(placed)


def _mere_title(line: PlacedLine) -> bool:
    return line.item.is_title and not line.item.is_entry


def _totals(placed: Sequence[PlacedLine]) -> dict[Section, tuple[int, TextLine]]:
    """What headings and lines like `60/60 Cards` state, by section."""
    totals: dict[Section, tuple[int, TextLine]] = {}
    for line in placed:
        heading = line.item.heading
        if heading is not None and heading.section and heading.total:
            totals.setdefault(heading.section, (heading.total, line.item.line))
        elif heading is None and line.item.total:
            above = [one for one in placed if _right_above(one, line)]
            section = section_at(line, above) if above else Section.MAIN
            totals.setdefault(section, (line.item.total, line.item.line))
    return totals


def _right_above(heading: PlacedLine, line: PlacedLine) -> bool:
    known = heading.item.heading
    near = 0 < line.middle - heading.middle < _MOST_GAP * max(line.height, heading.height)
    return (
        known is not None
        and known.section is not None
        and near
        and heading.left < line.right
        and line.left < heading.right
    )
