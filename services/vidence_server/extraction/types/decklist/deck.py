"""What is made of the lines of a deck: entries with their sections, and the totals that it states."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidence_server.extraction.types.decklist.catalogue import CardCatalogue
from vidence_server.extraction.types.decklist.grammar import (
    EntryText,
    Heading,
    Section,
    count_of,
    entry_of,
    heading_of,
    number_of,
    total_of,
)
from vidence_server.extraction.types.decklist.names import MAYBE, SAME, SURE, SURE_ALONE, ReadName, resolve
from vidence_server.extraction.types.layout import Placed
from vidence_server.vision.text import TextLine


@dataclass(frozen=True, slots=True)
class DeckLine:
    """One line and everything it may mean in a deck."""

    line: TextLine
    entry: EntryText | None
    """The count and name it holds."""
    entry_name: ReadName | None
    """What the catalogue makes of the entry's name."""
    alone: ReadName | None
    """What the catalogue makes of the whole line, as a title."""
    heading: Heading | None
    count: int | None
    """Where it is nothing but `x4`."""
    number: int | None
    """Where it is nothing but `4`."""
    total: int | None

    @property
    def is_entry(self) -> bool:
        """Whether it has a count and a name that the catalogue knows."""
        return self.entry_name is not None and self.entry_name.match is not None

    @property
    def is_title(self) -> bool:
        """Whether it is a name that the catalogue knows, and nothing else."""
        return self._likeness >= SURE_ALONE

    @property
    def may_be_title(self) -> bool:
        """Whether it would be a name where only a name can be."""
        return self._likeness >= MAYBE

    @property
    def _likeness(self) -> float:
        return self.alone.match.score if self.alone is not None and self.alone.match else 0.0


@dataclass(frozen=True, slots=True)
class DeckEntry:
    """A card of a deck."""

    source: DeckLine
    """The line with its name; what else it needed stands in `count_line`."""
    name: ReadName
    count: int
    section: Section
    count_line: TextLine | None = None
    """The line that holds the count, where it is another one."""
    counted: bool = True
    """Whether the count was read; else it is the number of copies seen."""
    section_told: bool = True
    """Whether a heading says the section; else it follows from a gap or is the default."""


@dataclass(frozen=True, slots=True)
class Deck:
    """A deck as it was read."""

    entries: tuple[DeckEntry, ...]
    totals: dict[Section, tuple[int, TextLine]] = field(default_factory=dict)
    """What the picture states, and where."""

    def total(self, section: Section) -> int:
        """Cards of a section."""
        return sum(entry.count for entry in self.entries if entry.section is section)


PlacedLine = Placed[DeckLine]


def understand(line: TextLine, catalogue: CardCatalogue | None) -> DeckLine:
    """Everything that a line may mean; without a catalogue names stay unproven."""
    text = line.text
    count, number = count_of(text), number_of(text)
    heading = heading_of(text)
    total = total_of(text)
    if count is not None or number is not None:
        return DeckLine(line, None, None, None, heading, count, number, total)
    entry = None if total is not None else entry_of(text)
    entry_name, alone = None, None
    if catalogue is not None:
        entry_name = resolve(entry.name, catalogue, least=SURE) if entry else None
        alone = resolve(text, catalogue, least=MAYBE)
        if entry_name and _names_better(alone, entry_name):
            entry, entry_name = None, None
    elif entry:
        entry_name = ReadName(entry.name, 0, None)
    return DeckLine(line, entry, entry_name, alone, heading, count, number, total)


def _names_better(alone: ReadName, entry_name: ReadName) -> bool:
    """Whether the number in front belongs to the name, as in `+2 Mace`."""
    if alone.match is None or alone.match.score < SAME:
        return False
    return entry_name.match is None or entry_name.match.score < SAME or alone.start == 0
