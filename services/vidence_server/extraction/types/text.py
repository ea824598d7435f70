"""Plain text: every line of the page, in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import ExtractedField, FieldSource, PlannedField
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion


class TextFieldReader:
    """Gives lines in reading order: a line that arrives early waits for those before it.

    So indexes have no holes and never change, though regions in which nothing was read give no field.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, TextLine] = {}
        self._next_place = 0
        self._given = 0

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line and gives it and its successors as soon as all lines before it are known."""
        self._waiting[line.index] = line
        ready: list[ExtractedField] = []
        while (following := self._waiting.pop(self._next_place, None)) is not None:
            self._next_place += 1
            ready.extend(self._field(following))
        return ready

    def finish(self) -> list[ExtractedField]:
        """Gives the lines that waited for one that never came."""
        waiting = sorted(self._waiting.values(), key=lambda line: line.index)
        self._waiting.clear()
        return [field for line in waiting for field in self._field(line)]

    @property
    def complete(self) -> bool:
        """Never: the next region may hold another line."""
        return False

    def _field(self, line: TextLine) -> Iterator[ExtractedField]:
        text = line.text.strip()
        if not text:
            return
        self._given += 1
        yield ExtractedField(
            key="text.line",
            index=self._given,
            revision=1,
            raw_value=text,
            value=text,
            confidence=line.confidence,
            quad=line.quad,
            source=FieldSource.VISUAL,
        )


@dataclass(frozen=True, slots=True)
class TextDocumentType:
    """A page of text, whatever it says."""

    key: str = "text"
    title: str = "Text"
    description: str = "All lines of text of a page, in the order in which a person reads them."
    planned_fields: tuple[PlannedField, ...] = (PlannedField("text.line", index=0, required=False),)
    detector_size: DetectorSize | None = None
    needs: frozenset[Need] = frozenset()

    def likeness(
        self,
        lines: Sequence[TextLine],  # noqa: ARG002 - any page is text
        barcodes: Sequence[Barcode],  # noqa: ARG002 - see above
    ) -> float:
        """0: what is like nothing else is text."""
        return 0.0

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; regions come in reading order already
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """All regions, as they come: the detector gives them in reading order."""
        return range(len(regions))

    def start(
        self,
        today: date,  # noqa: ARG002 - text has no two-digit years to complete
        means: ReadingMeans = NO_MEANS,  # noqa: ARG002 - lines are all it needs
    ) -> FieldReader:
        """A reader for one page."""
        return TextFieldReader()


TEXT = TextDocumentType()
