"""The document type of driving licences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.driving_licence.code import parse_licence
from vidence_server.extraction.types.driving_licence.elements import ELEMENTS
from vidence_server.extraction.types.driving_licence.front import front_likeness
from vidence_server.extraction.types.driving_licence.reader import LicenceReader
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion

_BY_BARCODE = 0.99


@dataclass(frozen=True, slots=True)
class LicenceDocumentType:
    """Either side of a licence."""

    key: str = "driving_licence"
    title: str = "Driving licence"
    description: str = (
        "A driving licence: the PDF417 barcode of a North American one or of an identity card (AAMVA, "
        "versions 1 to 11), or the labelled or numbered values of the front."
    )
    detector_size: DetectorSize | None = None
    needs: frozenset[Need] = frozenset({Need.BARCODES})

    @property
    def planned_fields(self) -> tuple[PlannedField, ...]:
        """Every key of the table, once; required are those that every version has."""
        required = {element.key for element in ELEMENTS if element.mandatory_from == 1}
        keys = dict.fromkeys(element.key for element in ELEMENTS)
        return (
            PlannedField("licence.jurisdiction"),
            *(PlannedField(key, required=key in required) for key in keys),
        )

    def likeness(
        self,
        lines: Sequence[TextLine],
        barcodes: Sequence[Barcode],
    ) -> float:
        """Nearly 1 where a barcode is a licence's; else by the front's title and labels."""
        if any(parse_licence(code.content) for code in barcodes):
            return _BY_BARCODE
        return front_likeness(lines)

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; every line may matter
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """All, from the top; none is read where the picture has the barcode."""
        return range(len(regions))

    def start(
        self,
        today: date,
        means: ReadingMeans = NO_MEANS,
    ) -> FieldReader:
        """A reader for one picture."""
        return LicenceReader(means.barcodes, today)


DRIVING_LICENCE = LicenceDocumentType()
