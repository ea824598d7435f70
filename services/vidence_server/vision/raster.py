"""Pictures made of pixels, by Pillow: header first, then limits, then pixels, then 8-bit BGR.

Pillow's format classes are opened directly, not by `Image.open`: that would guess among all its formats, and
its own pixel limit is a process-wide setting that warns. Ours is an argument and refuses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL import Image as PillowImage

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.image import Pixels
from vidence_server.vision.limits import ImageLimits

Opener: TypeAlias = Callable[[BytesIO], ImageFile.ImageFile]

_WIDE_GREY = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
"""Pillow's modes of one channel with more than 8 bits."""


@dataclass(frozen=True, slots=True)
class RasterFormat:
    """A format that is read: how its files begin, and what opens them."""

    media_type: str
    marks: tuple[tuple[int, bytes], ...]
    """Offset and bytes; all must be there."""
    open: Opener

    def begins(self, content: bytes) -> bool:
        """Whether a file with these bytes says it has this format."""
        return all(content[at : at + len(mark)] == mark for at, mark in self.marks)


# A camera's MPO is a JPEG whose further pictures (preview, depth) follow the first: read as a plain JPEG.
RASTER_FORMATS: tuple[RasterFormat, ...] = (
    RasterFormat("image/jpeg", ((0, b"\xff\xd8\xff"),), JpegImagePlugin.JpegImageFile),
    RasterFormat("image/png", ((0, b"\x89PNG\r\n\x1a\n"),), PngImagePlugin.PngImageFile),
    RasterFormat("image/webp", ((0, b"RIFF"), (8, b"WEBP")), WebPImagePlugin.WebPImageFile),
    RasterFormat("image/gif", ((0, b"GIF8"),), GifImagePlugin.GifImageFile),
    RasterFormat("image/tiff", ((0, b"II*\0"),), TiffImagePlugin.TiffImageFile),
    RasterFormat("image/tiff", ((0, b"MM\0*"),), TiffImagePlugin.TiffImageFile),
    RasterFormat("image/bmp", ((0, b"BM"),), BmpImagePlugin.BmpImageFile),
)


def decode_raster(content: bytes, raster: RasterFormat, limits: ImageLimits) -> Pixels:
    """Decodes a picture.

    Args:
        content: the file, of the format `raster`.
        raster: told by the first bytes.
        limits: checked before pixels are decoded.

    Returns:
        uint8 BGR, (H, W, 3), upright.

    Raises:
        DomainError: IMAGE_CORRUPT, IMAGE_ANIMATED, IMAGE_TOO_SMALL, IMAGE_TOO_MANY_PIXELS.
    """
    try:
        _check_before_opening(content, raster, limits)
        with raster.open(BytesIO(content)) as picture:
            _check_header(picture, limits)
            picture.load()
            # After loading: PNG keeps its EXIF behind the pixels, and reading it would swallow their errors.
            orientation = _orientation(picture)
            limits.check_size(*picture.size)
            return _oriented(_bgr(picture), orientation)
    except (DomainError, MemoryError):
        raise
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning):
        # Parts of a file (a GIF's frame, a TIFF's tile) that are larger than its header says.
        raise DomainError(
            Reason.IMAGE_TOO_MANY_PIXELS,
            "The image holds more pixels than are read.",
            metadata={"limit": str(limits.max_pixels)},
        ) from None
    except Exception as error:  # noqa: BLE001 hostile bytes make codecs raise anything; each means a broken file
        raise DomainError(
            Reason.IMAGE_CORRUPT,
            "The image is damaged, incomplete, or coded in a way that is not read.",
            metadata={"media_type": raster.media_type, "cause": type(error).__name__},
        ) from None


def _check_before_opening(content: bytes, raster: RasterFormat, limits: ImageLimits) -> None:
    """What Pillow's opening would already pay for."""
    if raster.media_type == "image/webp":
        limits.check_size(*_webp_size(content))
    # In JPEG data 0xFF is always followed by 0x00, so this counts scans (and a thumbnail's few).
    if raster.media_type == "image/jpeg" and content.count(b"\xff\xda") > limits.max_jpeg_scans:
        raise DomainError(
            Reason.IMAGE_CORRUPT,
            "The JPEG has more scans than any camera writes.",
            metadata={"limit": str(limits.max_jpeg_scans), "actual": str(content.count(b"\xff\xda"))},
        )


def _webp_size(content: bytes) -> tuple[int, int]:
    """Width and height in px in a WebP header (RFC 9649): its decoder takes memory when it is made."""
    kind = content[12:16]
    if kind == b"VP8X":
        return _three_bytes(content, 24) + 1, _three_bytes(content, 27) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _three_bytes(content: bytes, at: int) -> int:
    """A little-endian number of three bytes."""
    return int.from_bytes(content[at : at + 3], "little")


def _check_header(picture: ImageFile.ImageFile, limits: ImageLimits) -> None:
    limits.check_size(*picture.size)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # A tile may be larger than the picture; the decoder allocates it whole.
        tile = picture.tag_v2.get(322, 1), picture.tag_v2.get(323, 1)
        limits.check_size(max(tile[0], picture.width), max(tile[1], picture.height))
    if getattr(picture, "is_animated", False):
        raise DomainError(
            Reason.IMAGE_ANIMATED,
            "The image has several frames or pages; submit one of them.",
            metadata={"limit": "1"},
        )


def _orientation(picture: ImageFile.ImageFile) -> int:
    """EXIF orientation, 1–8; 1 where there is none, where it is nonsense, where Pillow applies it."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return 1
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 broken EXIF makes Pillow raise anything; the picture itself may be fine
        return 1
    return value if value in _TURNS else 1


_TURNS: dict[int, Callable[[Pixels], npt.NDArray[np.uint8]]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}
"""What makes a stored picture upright, by EXIF orientation (CIPA DC-008, 4.6.5)."""


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    return np.ascontiguousarray(_TURNS[orientation](pixels))


def _bgr(picture: PillowImage.Image) -> Pixels:
    """Decoded pixels of any mode as uint8 BGR, (H, W, 3). Frees the picture."""
    if picture.mode in _WIDE_GREY:
        grey = _eight_bits(np.asarray(picture))
        picture.close()
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if picture.has_transparency_data:
        picture = _on_white(picture)
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    values = np.asarray(rgb)
    rgb.close()
    picture.close()
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2BGR), np.uint8)


def _on_white(picture: PillowImage.Image) -> PillowImage.Image:
    """What a viewer shows on a white page, RGB. Frees the picture."""
    layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    page = PillowImage.new("RGB", layer.size, "white")
    page.paste(layer, mask=layer.getchannel("A"))
    layer.close()
    picture.close()
    return page


def _eight_bits(values: npt.NDArray[Any]) -> Pixels:
    """One channel of more than 8 bits scaled to 8.

    16-bit integers span 0–65535. Floats and 32-bit integers have no agreed range: the smallest of 0–1
    (floats), 0–255, 0–65535 and 0–maximum that holds all values is taken.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return np.asarray((values.astype(np.uint32) * 255 + 32767) // 65535, np.uint8)
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(finite.max())
    ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = next((bound for bound in ranges if highest <= bound), highest)
    return np.asarray(np.clip(np.rint(finite * (255 / white)), 0, 255), np.uint8)
