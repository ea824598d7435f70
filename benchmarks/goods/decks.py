"""Decklists: which names have the right count, given a catalogue that holds them among 20,000 others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.ours import Pipeline
from benchmarks.report import Floor, table
from rendering.decks import STYLES, Deck, random_deck, render_deck
from rendering.degrade import Degradation, degrade
from rendering.made_up_cards import made_up_names
from vidence_server.extraction.domain.document import Document

OTHER_NAMES = 25_000
NAMES_RIGHT = 0.97
"""Share of the names that must have the right count in the right section."""
_SPOILT = {
    "as it is": Degradation(),
    "photographed": Degradation(tilt_degrees=2.5, blur_px=0.7, noise=4, jpeg_quality=70),
}


@dataclass(frozen=True, slots=True)
class DeckCase:
    """A picture and the truth about it: count by section and name."""

    name: str
    content: bytes
    truth: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class DeckVerdict:
    """What became of one picture."""

    name: str
    wanted: int
    misses: tuple[str, ...]
    """Names that are missing or have another count, then names that are not in the picture."""
    extra: int
    type_read: str

    @property
    def right(self) -> int:
        """Names with the right count."""
        return self.wanted - (len(self.misses) - self.extra)


def real_cases(folder: Path) -> list[DeckCase]:
    """Pictures with a `.txt` beside them: count and name a line, the sideboard behind an empty line."""
    return [
        DeckCase(path.name, path.read_bytes(), _truth(path.with_suffix(".txt").read_text()))
        for path in sorted(folder.glob("*.jpg"))
    ]


def _truth(text: str) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    section = "main"
    for line in text.splitlines():
        if not line.strip():
            section = "sideboard"
            continue
        count, _, name = line.partition(" ")
        found[section, name.strip()] += int(count)
    return found


def rendered_cases(decks: int, names: Sequence[str]) -> Iterator[DeckCase]:
    """Every style for `decks` made-up decks, clean and as a phone sees it; seeded."""
    for style in STYLES:
        for number in range(decks):
            random = Random(f"{style} {number}")
            deck = random_deck(random, names, style)
            for how, spoilt in _SPOILT.items():
                content = degrade(render_deck(deck, style), spoilt, number)
                yield DeckCase(f"{style} {number} {how}", content, truth_of(deck))


def truth_of(deck: Deck) -> Counter[tuple[str, str]]:
    """Counts by section and name."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in deck.entries:
        found[entry.section, entry.name] += entry.count
    return found


def catalogue_names(cases: Sequence[DeckCase]) -> list[str]:
    """The names of some decks among many that no deck has."""
    known = {name for case in cases for _, name in case.truth}
    return sorted(known | set(made_up_names(Random(2026), OTHER_NAMES)))


async def judge(pipeline: Pipeline, case: DeckCase) -> DeckVerdict:
    """Reads one deck, told that it is one."""
    document = await pipeline.read(case.content, "decklist")
    read = counts_of(document)
    misses = [
        f"{section} {count} {name}: read {read.get((section, name), 0)}"
        for (section, name), count in case.truth.items()
        if read.get((section, name)) != count
    ]
    extra = [
        f"{section} {count} {name}: not there"
        for (section, name), count in read.items()
        if (section, name) not in case.truth
    ]
    return DeckVerdict(case.name, len(case.truth), (*misses, *extra), len(extra), document.document_type)


def counts_of(document: Document) -> Counter[tuple[str, str]]:
    """Counts by section and name, as they were read."""
    values = {(field.key, field.index): field.value for field in document.fields}
    found: Counter[tuple[str, str]] = Counter()
    for (key, index), name in values.items():
        if key == "card.name" and name:
            found[values["card.section", index], name] += int(values["card.count", index])
    return found


def decks_table(verdicts: Sequence[DeckVerdict]) -> str:
    """Names right by picture, as Markdown."""
    rows = [[one.name, f"{one.right}", f"{one.wanted}", f"{one.extra}"] for one in verdicts]
    rows.append(["all", *map(str, _sums(verdicts))])
    return table(["decklist", "names right", "of", "wrongly there"], rows)


def _sums(verdicts: Sequence[DeckVerdict]) -> tuple[int, int, int]:
    return (
        sum(one.right for one in verdicts),
        sum(one.wanted for one in verdicts),
        sum(one.extra for one in verdicts),
    )


def floor(verdicts: Sequence[DeckVerdict], what: str) -> Floor:
    """The share of names with the right count."""
    right, wanted, _ = _sums(verdicts)
    return Floor(f"{what}: names with the right count", right / max(1, wanted), NAMES_RIGHT)
