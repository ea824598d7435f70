"""Barcodes as issuers write them: encodings, headers, subfiles."""

from __future__ import annotations

import pytest

from rendering.licences import licence_text
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.detect import SURE_LIKENESS
from vidence_server.extraction.types.driving_licence.code import parse_licence
from vidence_server.extraction.types.driving_licence.elements import LAST_VERSION
from vidence_server.vision.barcodes import Barcode, BarcodeFormat
from vidence_server.vision.geometry import Point, Quad

pytestmark = pytest.mark.requirement("R-EX2")

QUAD = Quad(Point(0, 0), Point(9, 0), Point(9, 9), Point(0, 9))
ELEMENTS = {"DAQ": "T1234567", "DCS": "ROOK"}


@pytest.mark.parametrize(
    "content",
    [
        licence_text(ELEMENTS),
        b"\n " + licence_text(ELEMENTS) + b" \n",
        licence_text(ELEMENTS).replace(b"@\n\x1e\r", b"@\n\x1c\r"),
        licence_text(ELEMENTS).replace(b"@\n\x1e\r", b"@"),
        licence_text(ELEMENTS).replace(b"\nDCS", b"\x1d\x1eDCS"),
        licence_text(ELEMENTS).replace(b"\nDCS", b"\r\nDCS"),
        b"@\n\x1e\rANSI 636000100001DLDAQT1234567\nDCSROOK\r",
        b"@\n\x1e\rANSI 636000100002DL00410023ZV00640009DLDAQT1234567\nDCSROOK\rZVZVA01\r",
        b"@\n\x1e\rANSI 636000100001ID00000000IDDAQT1234567\nDCSROOK\r",
        b"@\n\x1e\rANSI 636000100001EN00000000ENDAQT1234567\nDCSROOK\r",
        b"@\n\x1e\rANSI 636000100001DL00000000DAQT1234567\nDCSROOK\r",
    ],
    ids=(
        "as the standard says", "white space around", "another separator", "no separators",
        "group separators", "carriage returns", "no table of subfiles", "a jurisdiction's own subfile",
        "identity card", "enhanced", "no letters before the first element",
    ),
)  # fmt: skip
def test_every_element_is_found_however_the_issuer_writes_the_code(content: bytes) -> None:
    code = parse_licence(content)
    assert code is not None
    assert (code.issuer, code.version, code.elements) == ("636000", 10, ELEMENTS)


@pytest.mark.parametrize(("written", "read_as"), [(0, 1), (1, 1), (2, 2), (11, 11), (12, LAST_VERSION)])
def test_a_version_outside_the_known_ones_is_read_like_the_nearest(written: int, read_as: int) -> None:
    text = licence_text(ELEMENTS, version=written) if written else licence_text(ELEMENTS, version=1)
    code = parse_licence(text if written else text.replace(b"AAMVA63600001", b"AAMVA63600000"))
    assert code is not None
    assert (code.version, code.elements) == (read_as, ELEMENTS)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_names_are_read_in_both_encodings(encoding: str) -> None:
    content = licence_text({"DCS": "PEÑA", "DAC": "ZOË"}).decode("latin-1").encode(encoding)
    code = parse_licence(content)
    assert code is not None
    assert code.elements == {"DCS": "PEÑA", "DAC": "ZOË"}


def test_a_licences_barcode_tells_the_type_and_no_other_barcode_does() -> None:
    known = document_type("driving_licence")
    ticket = Barcode(BarcodeFormat.PDF417, b"BOARDING PASS", QUAD)
    licence = Barcode(BarcodeFormat.PDF417, licence_text(ELEMENTS), QUAD)
    assert known.likeness([], [ticket]) == 0
    assert SURE_LIKENESS <= known.likeness([], [ticket, licence]) < 1
