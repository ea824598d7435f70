"""Pictures of every format that is read, with bytes of them changed: in their headers, and anywhere."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

from PIL import Image

from fakes.bad_files import pdf_with_picture
from fakes.mutated_messages import mutated
from vidence_cli.smoke.picture import sample_picture

_HEADER_BYTES = 64


def formats() -> dict[str, bytes]:
    """One picture with words on it in every format, and the kinds within a format that are decoded apart."""
    picture = Image.open(io.BytesIO(sample_picture())).resize((240, 80))

    def saved(kind: str, **options: object) -> bytes:
        out = io.BytesIO()
        picture.save(out, kind, **options)
        return out.getvalue()

    return {
        "jpeg": saved("JPEG"),
        "progressive jpeg": saved("JPEG", progressive=True),
        "jpeg with EXIF": saved("JPEG", exif=_exif()),
        "png": saved("PNG"),
        "webp": saved("WEBP"),
        "lossless webp": saved("WEBP", lossless=True),
        "gif": saved("GIF"),
        "bmp": saved("BMP"),
        "tiff": saved("TIFF"),
        "compressed tiff": saved("TIFF", compression="tiff_lzw"),
        "pdf": saved("PDF"),
        "pdf of objects": pdf_with_picture(8, 8),
    }


def mutants(draw: random.Random, rounds: int) -> Iterator[tuple[str, bytes]]:
    """Each picture changed `rounds` times in its header, and as often anywhere; by format."""
    for name, content in formats().items():
        for _ in range(rounds):
            [header] = mutated([content[:_HEADER_BYTES]], draw)
            yield f"{name}: header", header + content[_HEADER_BYTES:]
            [anywhere] = mutated([content], draw)
            yield f"{name}: anywhere", anywhere


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a picture that was taken upright
    return exif
