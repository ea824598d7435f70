"""Driving licences of made-up people: the barcode's text as the AAMVA standard builds it, and its picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import zxingcpp
from PIL import Image

_VIRGINIA = "636000"


def licence_text(elements: Mapping[str, str], *, version: int = 10, issuer: str = _VIRGINIA) -> bytes:
    """The content of a barcode with one subfile of these elements, offset and length as they are."""
    entries = f"{issuer}{version:02d}" + ("" if version == 1 else "00") + "01"
    body = "DL" + "\n".join(f"{code}{value}" for code, value in elements.items()) + "\r"
    kind = "AAMVA" if version == 1 else "ANSI "
    offset = 4 + len(kind) + len(entries) + 10
    return f"@\n\x1e\r{kind}{entries}DL{offset:04d}{len(body):04d}{body}".encode("latin-1")


def render_barcode(content: bytes, *, scale: int = 3) -> Image.Image:
    """A card's back: the PDF417 code of some content between stripes and print."""
    code = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.PDF417, ec_level="4")
    pixels = np.asarray(zxingcpp.write_barcode_to_image(code, scale=scale))
    picture = Image.fromarray(pixels).convert("RGB")
    back = Image.new("RGB", (picture.width + 160, picture.height + 320), (236, 233, 224))
    back.paste((40, 40, 44), (0, 40, back.width, 110))
    back.paste(picture, (80, 180))
    return back
