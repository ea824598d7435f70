"""Identity cards: three lines of 30 (TD1) or two of 36 characters (TD2), or labelled values alone."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.formats import TD1, TD2
from vidence_server.extraction.types.visual.document_type import TwoZoneDocumentType

ID_CARD = TwoZoneDocumentType(
    key="id_card",
    title="Identity card",
    description="An identity card: its machine readable zone (ICAO Doc 9303-5 and -6, TD1 and TD2) where it "
    "has one, and its labelled values in English, Filipino or Spanish.",
    formats=(TD1, TD2),
    zone_required=False,
    visual_keys=("document.issue_date", "person.middle_name", "person.birth_place", "address.text"),
    titles=(
        "identity card", "identification card", "national id", "republika ng pilipinas",
        "documento nacional de identidad", "cedula de ciudadania", "permiso de residencia",
    ),
    untitled=True,
)  # fmt: skip
