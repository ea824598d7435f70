"""Codes of states and organisations in machine readable zones (ICAO Doc 9303-3, section 5)."""

from __future__ import annotations

import iso3166

ISO_CODES: frozenset[str] = frozenset(iso3166.countries_by_alpha3)

ICAO_CODES: frozenset[str] = frozenset(
    {
        # United Kingdom's classes of nationality
        "GBD", "GBN", "GBO", "GBP", "GBS",
        # European Union, United Nations and its organisations
        "EUE", "UNO", "UNA", "UNK",
        # organisations that issue travel documents
        "XBA", "XCC", "XCE", "XCO", "XDC", "XEC", "XES", "XIM", "XMP", "XOM", "XPO", "WSA",
        # persons without a nationality, refugees, unspecified
        "XXA", "XXB", "XXC", "XXX",
        # Kosovo, and the made-up state of ICAO's specimens
        "RKS", "UTO",
    }
)  # fmt: skip
"""What ICAO adds to ISO 3166-1 alpha-3, and codes in wide use beside it."""

GERMANY = "D<<"
"""As it stands in a zone: the only code that is not of three letters."""


def country(code: str) -> str:
    """The normalised code of a three-character field; empty where no catalogue has it.

    ISO 3166-1 alpha-3 and ICAO's own codes stay as they are; Germany's `D<<` becomes `DEU`.
    """
    if code == GERMANY:
        return "DEU"
    return code if code in ISO_CODES or code in ICAO_CODES else ""
