"""A decklist that was read, as text that deck programs import and as rows of a table.

Pure functions of a `Document` message: they need no server, and nothing but the generated messages.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vidence.extraction.v1 import document_pb2

CSV_HEADER: tuple[str, ...] = ("count", "name", "set", "collector_number", "section", "confidence", "proved")
"""Columns of `csv_rows`."""

_TITLES = {"commander": "Commander", "companion": "Companion", "main": "Deck", "sideboard": "Sideboard"}
"""Sections in the order, and with the headings, of Arena's format; it has no others."""
_MAIN = "main"


@dataclass(frozen=True, slots=True)
class DeckCard:
    """One entry of a deck.

    Attributes:
        count: Copies.
        name: As the catalogue writes it, or as it was read.
        section: `main`, `sideboard`, `commander`, `companion` or `maybeboard`.
        set_code: Empty where the picture tells none.
        collector_number: The same.
        confidence: Of the least sure of its values, 0–1.
        proved: Whether the catalogue has a card of this name.
    """

    count: int
    name: str
    section: str
    set_code: str = ""
    collector_number: str = ""
    confidence: float = 0.0
    proved: bool = False


def deck_cards(document: document_pb2.Document) -> list[DeckCard]:
    """The cards of a decklist in the order in which they were read; none for other documents."""
    entries: dict[int, dict[str, document_pb2.ExtractedField]] = defaultdict(dict)
    for field in document.fields:
        if field.key.startswith("card.") and field.value:
            entries[field.index][field.key] = field
    return [_card(entries[index]) for index in sorted(entries) if "card.name" in entries[index]]


def _card(fields: dict[str, document_pb2.ExtractedField]) -> DeckCard:
    def value(key: str, default: str = "") -> str:
        return fields[key].value if key in fields else default

    name = fields["card.name"]
    return DeckCard(
        count=int(value("card.count", "1")),
        name=name.value,
        section=value("card.section", _MAIN),
        set_code=value("card.set"),
        collector_number=value("card.collector_number"),
        confidence=min(field.confidence for field in fields.values()),
        proved=name.validation.verdict == document_pb2.VALIDATION_VERDICT_VALID,
    )


def arena_text(document: document_pb2.Document) -> str:
    """A decklist as Arena imports it: sections with headings, parted by an empty line.

    A card's set and number are written where both are known. What a deck only considers is left out.

    Returns:
        The text with a line feed at its end; empty where there is no card.
    """
    by_section: dict[str, list[DeckCard]] = defaultdict(list)
    for card in deck_cards(document):
        by_section[card.section].append(card)
    parts = [
        "\n".join([title, *map(_arena_line, by_section[section])])
        for section, title in _TITLES.items()
        if by_section[section]
    ]
    return "\n\n".join(parts) + "\n" if parts else ""


def _arena_line(card: DeckCard) -> str:
    printing = (
        f" ({card.set_code}) {card.collector_number}" if card.set_code and card.collector_number else ""
    )
    return f"{card.count} {card.name}{printing}"


def csv_rows(documents: Iterable[document_pb2.Document] | document_pb2.Document) -> Iterator[tuple[str, ...]]:
    """Rows of a table, one a card, with the columns of `CSV_HEADER`; the header is not among them."""
    several = [documents] if isinstance(documents, document_pb2.Document) else documents
    for document in several:
        for card in deck_cards(document):
            yield (
                str(card.count),
                card.name,
                card.set_code,
                card.collector_number,
                card.section,
                f"{card.confidence:.3f}",
                "yes" if card.proved else "no",
            )


def csv_text(document: document_pb2.Document) -> str:
    """A decklist as CSV (RFC 4180) with its header.

    A name that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_HEADER)
    writer.writerows(map(_harmless, csv_rows(document)))
    return out.getvalue()


def _harmless(row: Sequence[str]) -> list[str]:
    return [f"'{cell}" if cell[:1] in {"=", "+", "-", "@"} else cell for cell in row]
