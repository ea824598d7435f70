"""Passports: two lines of 44 characters (TD3), and what is printed above them."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.formats import TD3
from vidence_server.extraction.types.visual.document_type import TwoZoneDocumentType

PASSPORT = TwoZoneDocumentType(
    key="passport",
    title="Passport",
    description="The machine readable zone of a passport booklet (ICAO Doc 9303-4, TD3), checked against "
    "what is printed.",
    formats=(TD3,),
    zone_required=True,
    visual_keys=("document.issue_date", "person.birth_place"),
    titles=("passport", "pasaporte", "passeport", "reisepass"),
    untitled=False,
)
