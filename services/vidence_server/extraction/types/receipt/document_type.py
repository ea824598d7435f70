"""The document type of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.document_type import FieldReader, Need
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.extraction.types.receipt.likeness import receipt_likeness
from vidence_server.extraction.types.receipt.reader import ReceiptReader
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.text import TextLine, TextRegion


@dataclass(frozen=True, slots=True)
class ReceiptDocumentType:
    """What a till prints."""

    key: str = "receipt"
    title: str = "Receipt"
    description: str = (
        "Company, address, date, total, currency, tax and positions of a till receipt or a bill."
    )
    planned_fields: tuple[PlannedField, ...] = (
        PlannedField("merchant.name"),
        PlannedField("merchant.address", required=False),
        PlannedField("receipt.date"),
        PlannedField("receipt.total"),
        PlannedField("receipt.currency", required=False),
        PlannedField("receipt.tax", required=False),
        PlannedField("item.description", required=False),
        PlannedField("item.quantity", required=False),
        PlannedField("item.unit_price", required=False),
        PlannedField("item.amount", required=False),
    )
    detector_size: DetectorSize | None = None
    needs: frozenset[Need] = frozenset()

    def likeness(
        self,
        lines: Sequence[TextLine],
        barcodes: Sequence[Barcode],  # noqa: ARG002 - receipts have none that tell anything
    ) -> float:
        """From labels of sums, taxes and payment, amounts and dates."""
        return receipt_likeness(lines)

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - part of the interface; regions come in reading order already
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """All regions, as they come: row by row."""
        return range(len(regions))

    def start(
        self,
        today: date,
        means: ReadingMeans = NO_MEANS,  # noqa: ARG002 - lines are all it needs
    ) -> FieldReader:
        """A reader for one picture."""
        return ReceiptReader(today)


RECEIPT = ReceiptDocumentType()
