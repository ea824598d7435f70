"""What a document type is: which lines to read first, and how fields come out of lines.

A new type is a module with an object of this shape and one line in `registry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Protocol

from vidence_server.extraction.domain.document import ExtractedField, PlannedField
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion


class Need(StrEnum):
    """What a type needs beside the lines of the picture."""

    CATALOGUE = "CATALOGUE"
    """The card catalogue of the request."""
    BARCODES = "BARCODES"
    """What the picture's barcodes say."""


class FieldReader(Protocol):
    """Turns the lines of one picture into fields, while the lines arrive.

    Not safe for use by several threads at once. Lines may come in any order; each region's line comes once.
    """

    def feed(self, line: TextLine) -> Iterable[ExtractedField]:
        """Takes one line and gives the fields that are ready now, or better than before (revision + 1)."""
        ...

    def finish(self) -> Iterable[ExtractedField]:
        """Gives what is left when no further line will come. Called once, after the last `feed`."""
        ...

    @property
    def complete(self) -> bool:
        """Whether no further line can change anything, so that reading may stop. `finish` is still called."""
        ...


class DocumentType(Protocol):
    """One kind of document. Stateless: the reader it starts holds the state of one extraction."""

    @property
    def key(self) -> str:
        """Stable name, snake_case."""
        ...

    @property
    def title(self) -> str:
        """Name for people, in English."""
        ...

    @property
    def description(self) -> str:
        """What is read, in one sentence."""
        ...

    @property
    def planned_fields(self) -> tuple[PlannedField, ...]:
        """The fields that are looked for, in the order in which a document lists them."""
        ...

    def likeness(self, lines: Sequence[TextLine], barcodes: Sequence[Barcode]) -> float:
        """How much a page looks like this type, 0–1, from some of its lines and all its barcodes.

        Machine readable zones are judged elsewhere: types that have nothing else answer 0.
        """
        ...

    def reading_order(
        self, regions: Sequence[TextRegion], image_width: int, image_height: int
    ) -> Sequence[int]:
        """Indexes of `regions` in the order to read them, most telling first.

        Regions that cannot matter are left out; none occurs twice. Sizes in pixels.
        """
        ...

    @property
    def detector_size(self) -> DetectorSize | None:
        """How large the text detector must see such documents; None: as large as it sees any."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What a reading is to be handed beside the lines."""
        ...

    def start(self, today: date, means: ReadingMeans = NO_MEANS) -> FieldReader:
        """A reader for one picture.

        Args:
            today: decides the century of two-digit years.
            means: what there is beside the lines.
        """
        ...
