"""What a reading may use beside the lines of its picture."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.extraction.types.decklist.catalogue import CardCatalogue
from vidence_server.vision.barcodes import Barcode


@dataclass(frozen=True, slots=True)
class ReadingMeans:
    """Handed to a document type when a reading starts; each type takes what it knows."""

    catalogue: CardCatalogue | None = None
    """The cards that decklists are resolved against; None: names stay as they were read."""
    barcodes: tuple[Barcode, ...] = ()
    """Those of the picture, for types that ask for them."""


NO_MEANS = ReadingMeans()
"""Nothing but the lines."""
