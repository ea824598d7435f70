"""Visas: two lines of 44 (MRV-A) or 36 characters (MRV-B) without a composite digit, and what is printed."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.formats import MRV_A, MRV_B
from vidence_server.extraction.types.visual.document_type import TwoZoneDocumentType

VISA = TwoZoneDocumentType(
    key="visa",
    title="Visa",
    description="The machine readable zone of a visa sticker (ICAO Doc 9303-7, MRV-A and MRV-B), checked "
    "against what is printed.",
    formats=(MRV_A, MRV_B),
    zone_required=True,
    visual_keys=("document.issue_date",),
    titles=(),  # on receipts the word is a means of payment: without its zone nothing is a visa
    untitled=False,
    # a sticker prints the passport's number beside its own, and the zone may hold either
    printed_of_others=frozenset({"document.number"}),
)
