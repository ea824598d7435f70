"""The document type of decklists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.decklist.likeness import decklist_likeness
from vidence_server.extraction.types.decklist.reader import DecklistReader
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.layout import columns_of, place_regions
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion

_SMALL_PRINT = DetectorSize(area_px=2_000_000, long_side_px=2000)
"""Titles of cards are among the smallest print there is."""


@dataclass(frozen=True, slots=True)
class DecklistDocumentType:
    """A deck of cards, written or shown."""

    key: str = "decklist"
    title: str = "Decklist"
    description: str = (
        "Cards of a deck with counts and sections: text as Arena, MTGO or Moxfield write it, photographs of "
        "lists, screenshots of cards."
    )
    planned_fields: tuple[PlannedField, ...] = (
        PlannedField("card.count"),
        PlannedField("card.name"),
        PlannedField("card.set", required=False),
        PlannedField("card.collector_number", required=False),
        PlannedField("card.section"),
        PlannedField("deck.main_count"),
        PlannedField("deck.sideboard_count", required=False),
        PlannedField("deck.commander_count", required=False),
    )
    detector_size: DetectorSize | None = _SMALL_PRINT
    needs: frozenset[Need] = frozenset({Need.CATALOGUE})

    def likeness(
        self,
        lines: Sequence[TextLine],
        barcodes: Sequence[Barcode],  # noqa: ARG002 - decks have none
    ) -> float:
        """From entries, counts, headings of sections and lines of card types."""
        return decklist_likeness(lines)

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; columns show in the regions alone
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """All regions, column by column: so a heading comes before what it covers."""
        return [item.item for column in columns_of(place_regions(regions)) for item in column]

    def start(
        self,
        today: date,  # noqa: ARG002 - a deck has no two-digit years to complete
        means: ReadingMeans = NO_MEANS,
    ) -> FieldReader:
        """A reader for one picture."""
        return DecklistReader(means.catalogue)


DECKLIST = DecklistDocumentType()
