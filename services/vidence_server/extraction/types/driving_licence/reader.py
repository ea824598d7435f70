"""Fields out of a licence: its barcode, or what its front shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from vidence_server.extraction.domain.document import ExtractedField, FieldSource, Validation, Verdict
from vidence_server.extraction.types.driving_licence.code import LicenceCode, parse_licence
from vidence_server.extraction.types.driving_licence.elements import ELEMENTS, NOTHING, Element, Kind
from vidence_server.extraction.types.driving_licence.front import front_fields
from vidence_server.extraction.types.driving_licence.values import given_names_of, normalised
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine

CORRECTION_RULE = "pdf417.error_correction"
ELEMENT_RULE = "aamva.element"
_SURE = 0.99
"""Confidence of what error correction proves."""


class LicenceReader:
    """Reads the first barcode that is a licence's; without one, what is printed."""

    def __init__(self, barcodes: Sequence[Barcode], today: date) -> None:
        self._today = today
        self._lines: list[TextLine] = []
        self._code: LicenceCode | None = None
        self._quad: Quad | None = None
        for barcode in barcodes:
            found = parse_licence(barcode.content)
            if found is not None:
                self._code, self._quad = found, barcode.quad
                break

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line; labels and values find each other at the end."""
        self._lines.append(line)
        return []

    def finish(self) -> list[ExtractedField]:
        """Gives every element that the barcode has, in the table's order; else every labelled value."""
        return list(self._fields(self._code)) if self._code else front_fields(self._lines, self._today)

    @property
    def complete(self) -> bool:
        """With a barcode from the start: it says everything that is printed, and proves it."""
        return self._code is not None

    def _fields(self, code: LicenceCode) -> Iterator[ExtractedField]:
        if code.jurisdiction:
            yield self._field("licence.jurisdiction", code.jurisdiction, code.jurisdiction)
        told: set[str] = set()
        for element in ELEMENTS:
            if element.key in told or not element.first <= code.version <= element.last:
                continue
            parts = _parts(element, code)
            if parts is None:
                continue
            raw, value = parts
            told.add(element.key)
            yield self._field(element.key, raw, value)
            if element.kind is Kind.FULL_NAME and given_names_of(raw):
                told.add("person.given_names")
                yield self._field("person.given_names", raw, given_names_of(raw))
        if "document.issuer" not in told:
            yield self._field("document.issuer", code.issuer, code.country)

    def _field(self, key: str, raw: str, value: str) -> ExtractedField:
        validation = (
            Validation(Verdict.VALID, CORRECTION_RULE)
            if value
            else Validation(
                Verdict.INVALID, ELEMENT_RULE, message="not a value that the standard allows here"
            )
        )
        return ExtractedField(
            key, 0, 1, raw, value, _SURE if value else 0.5, self._quad, FieldSource.BARCODE, validation
        )


def _parts(element: Element, code: LicenceCode) -> tuple[str, str] | None:
    """Raw and normalised value of an element, with those that join it; None where the card has none."""
    joined = [
        other
        for other in ELEMENTS
        if other.key == element.key
        and other.joins
        and element.joins
        and other.first <= code.version <= other.last
    ]
    raws, values = [], []
    for one in joined or [element]:
        raw = code.elements.get(one.code, "")
        if raw.upper() in NOTHING:
            continue
        raws.append(raw)
        values.append(normalised(one, raw))
    if not raws:
        return None
    return " ".join(raws), " ".join(filter(None, values))
