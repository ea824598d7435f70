"""Identity cards: three lines of 30 (TD1) or two of 36 characters (TD2)."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.document_type import MrzDocumentType
from vidence_server.extraction.types.mrz.formats import TD1, TD2

ID_CARD = MrzDocumentType(
    key="id_card",
    title="Identity card",
    description="The machine readable zone of an identity card (ICAO Doc 9303-5 and -6, TD1 and TD2).",
    formats=(TD1, TD2),
)
