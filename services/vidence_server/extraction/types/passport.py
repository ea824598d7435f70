"""Passports: two lines of 44 characters (TD3)."""

from __future__ import annotations

from vidence_server.extraction.types.mrz.document_type import MrzDocumentType
from vidence_server.extraction.types.mrz.formats import TD3

PASSPORT = MrzDocumentType(
    key="passport",
    title="Passport",
    description="The machine readable zone of a passport booklet (ICAO Doc 9303-4, TD3).",
    formats=(TD3,),
)
