"""Visas: two lines of 44 (MRV-A) or 36 characters (MRV-B), without a composite check digit."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.document_type import MrzDocumentType
from vidence_server.extraction.types.mrz.formats import MRV_A, MRV_B

VISA = MrzDocumentType(
    key="visa",
    title="Visa",
    description="The machine readable zone of a visa sticker (ICAO Doc 9303-7, MRV-A and MRV-B).",
    formats=(MRV_A, MRV_B),
)
