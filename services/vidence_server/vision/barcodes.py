"""Barcodes in a picture, read by zxing-cpp."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import zxingcpp

from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Image, Pixels

_TILTS = (0.0, 6.0, -6.0, 12.0, -12.0)
"""Degrees by which a picture is turned until a code is found; the decoder itself bears about four."""


class BarcodeFormat(StrEnum):
    """The symbologies that are looked for."""

    PDF417 = "PDF417"
    """Stacked rows; on driving licences (AAMVA) and cards."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """A barcode whose error correction holds."""

    format: BarcodeFormat
    content: bytes
    """Its bytes, as they were encoded."""
    quad: Quad
    """Where it stands, in pixels of the decoded picture."""


def read_barcodes(image: Image, *, tilted: bool = True) -> tuple[Barcode, ...]:
    """Every PDF417 code that can be decoded, at any quarter turn.

    Args:
        image: pixels uint8 BGR, (H, W, 3).
        tilted: whether to try tilts too where there is none at first; that takes longer.
    """
    grey = np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    for degrees in _TILTS if tilted else _TILTS[:1]:
        found = _decode(grey, degrees)
        if found:
            return found
    return ()


def _decode(grey: Pixels, degrees: float) -> tuple[Barcode, ...]:
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    seen = cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) if degrees else grey
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    formats = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.PDF417])
    read = zxingcpp.read_barcodes(np.ascontiguousarray(seen), formats=formats)
    return tuple(
        Barcode(BarcodeFormat.PDF417, bytes(one.bytes), _quad(one.position, back))
        for one in read
        if one.valid
    )


def _quad(position: zxingcpp.Position, back: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Quad:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    points = [back @ np.array([corner.x, corner.y, 1.0]) for corner in corners]
    return Quad(*(Point(float(x), float(y)) for x, y in points))
