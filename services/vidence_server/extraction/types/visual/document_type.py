"""A document type with a visual zone and, mostly, a machine readable zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.extraction.types.mrz.formats import MrzFormat
from vidence_server.extraction.types.mrz.plan import zone_plan
from vidence_server.extraction.types.mrz.rows import zone_order
from vidence_server.extraction.types.visual.crosscheck import CONFLICT_KEY
from vidence_server.extraction.types.visual.likeness import labelled_likeness
from vidence_server.extraction.types.visual.zones import TwoZoneReader
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion


@dataclass(frozen=True, slots=True)
class TwoZoneDocumentType:
    """A document of `formats`, or of none where only its front is seen."""

    key: str
    title: str
    description: str
    formats: tuple[MrzFormat, ...]
    zone_required: bool
    """Whether every document of the type has a machine readable zone."""
    visual_keys: tuple[str, ...]
    """Fields that only the visual zone has."""
    titles: tuple[str, ...]
    """Words of the document's own title."""
    untitled: bool
    """Whether labels without any title are taken for this type."""
    printed_of_others: frozenset[str] = frozenset()
    """Keys of the zone whose labels may belong to another document: their values are not compared."""
    detector_size: DetectorSize | None = None
    needs: frozenset[Need] = frozenset()

    @property
    def planned_fields(self) -> tuple[PlannedField, ...]:
        """The zone's fields, those of the visual zone, conflicts."""
        zone = zone_plan(self.formats)
        required = (
            zone
            if self.zone_required
            else tuple(PlannedField(one.key, one.index, required=False) for one in zone)
        )
        visual = tuple(PlannedField(key, required=False) for key in self.visual_keys)
        return (*required, *visual, PlannedField(CONFLICT_KEY, required=False))

    def likeness(
        self,
        lines: Sequence[TextLine],
        barcodes: Sequence[Barcode],  # noqa: ARG002 - the zone and the labels tell
    ) -> float:
        """From labels and the title; a machine readable zone is judged before."""
        return labelled_likeness(lines, titled=self.titles, untitled=self.untitled)

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; regions are compared with each other
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """What may be a zone first, then everything else."""
        zone = zone_order(regions)
        return [*zone, *(index for index in range(len(regions)) if index not in set(zone))]

    def start(
        self,
        today: date,
        means: ReadingMeans = NO_MEANS,  # noqa: ARG002 - both zones prove each other
    ) -> FieldReader:
        """A reader for one picture."""
        printed = frozenset(one.key for one in self.planned_fields) - self.printed_of_others
        return TwoZoneReader(self.formats, printed, today)
