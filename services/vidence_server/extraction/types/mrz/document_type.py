"""A document type that is read from its machine readable zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.extraction.types.mrz.formats import Content, MrzFormat
from vidence_server.extraction.types.mrz.reader import MrzReader
from vidence_server.extraction.types.mrz.rows import zone_order
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion

_ORDER = (
    "document.code",
    "document.issuer",
    "document.number",
    "person.surname",
    "person.given_names",
    "person.nationality",
    "person.birth_date",
    "person.sex",
    "document.expiry_date",
    "document.optional_data",
    "document.optional_data_2",
)


@dataclass(frozen=True, slots=True)
class MrzDocumentType:
    """A document with a zone in one of `formats`."""

    key: str
    title: str
    description: str
    formats: tuple[MrzFormat, ...]
    detector_size: DetectorSize | None = None
    needs: frozenset[Need] = frozenset()

    @property
    def planned_fields(self) -> tuple[PlannedField, ...]:
        """Every field that one of the formats has; required are those that all of them have."""
        keys = [_keys(mrz_format) for mrz_format in self.formats]
        single = tuple(
            PlannedField(key, 0, required=all(key in known for known in keys))
            for key in _ORDER
            if any(key in known for known in keys)
        )
        counts = [len(mrz_format.lines) for mrz_format in self.formats]
        lines = tuple(
            PlannedField("mrz.line", number, required=number <= min(counts))
            for number in range(1, max(counts) + 1)
        )
        composite = [mrz_format.composite is not None for mrz_format in self.formats]
        checks = (PlannedField("mrz.composite_check", 0, required=all(composite)),) if any(composite) else ()
        return (*single, PlannedField("mrz.format"), *lines, *checks)

    def likeness(
        self,
        lines: Sequence[TextLine],  # noqa: ARG002 - its zone is found otherwise
        barcodes: Sequence[Barcode],  # noqa: ARG002 - see above
    ) -> float:
        """0: a zone is looked for before any likeness."""
        return 0.0

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; regions are compared with each other
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """Long, low, parallel regions first; those too short for a piece of a zone are left out."""
        return zone_order(regions)

    def start(
        self,
        today: date,
        means: ReadingMeans = NO_MEANS,  # noqa: ARG002 - the zone proves itself
    ) -> FieldReader:
        """A reader for one picture."""
        return MrzReader(self.formats, today)


def _keys(mrz_format: MrzFormat) -> frozenset[str]:
    keys = {span.key for layout in mrz_format.lines for span in layout.spans}
    names = {
        "person.given_names"
        for layout in mrz_format.lines
        for span in layout.spans
        if span.content is Content.NAMES
    }
    return frozenset(keys | names)
