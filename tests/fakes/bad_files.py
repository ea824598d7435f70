"""Files that are no good pictures, each with the reason for which it is refused under `LIMITS`."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pypdfium2
from PIL import Image as PillowImage

from vidence_server.core.errors import Reason
from vidence_server.vision.decode import ImageLimits

LIMITS = ImageLimits(max_bytes=200_000, max_pixels=1_000_000)


def noise(width: int = 120, height: int = 90, mode: str = "RGB") -> PillowImage.Image:
    """Noise does not compress: cutting a file anywhere loses pixels."""
    values = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    return PillowImage.fromarray(values).convert(mode)


def saved(picture: PillowImage.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def damaged(content: bytes, at: int, length: int = 16) -> bytes:
    return content[:at] + bytes(length) + content[at + length :]


def several(kind: str, **options: object) -> bytes:
    frames = [PillowImage.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int, bits: int = 1) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    mark = b"\x89PNG\r\n\x1a\n"
    return mark + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    content = bytearray(saved(noise(), "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def webp_claiming(width: int, height: int) -> bytes:
    picture = noise()
    picture.putalpha(100)
    content = bytearray(saved(picture, "WEBP", quality=50))
    assert content[12:16] == b"VP8X"
    content[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


def gif_with_frame(width: int, height: int) -> bytes:
    content = bytearray(saved(PillowImage.new("P", (40, 40)), "GIF"))
    at = content.index(b"\x2c\x00\x00\x00\x00\x28\x00\x28\x00")
    content[at + 5 : at + 9] = struct.pack("<HH", width, height)
    return bytes(content)


def tiff(*entries: tuple[int, int, int], data: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory; entries are tag, type (3 short, 4 long) and value."""
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + data


def tiff_with_tile(side: int) -> bytes:
    return tiff(
        (256, 4, 100), (257, 4, 100), (258, 3, 8), (259, 3, 5), (262, 3, 1), (277, 3, 1),
        (322, 4, side), (323, 4, side), (324, 4, 8), (325, 4, 16), data=bytes(64),
    )  # fmt: skip


def tiff_claiming(width: int, height: int, *, bits: int = 8, compression: int = 1) -> bytes:
    return tiff(
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, compression), (262, 3, 1), (273, 4, 8),
        (277, 3, 1),
    )  # fmt: skip


def pdf(*sizes: tuple[float, float]) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height).close()
    out = io.BytesIO()
    document.save(out)
    document.close()
    return out.getvalue()


def pdf_of(objects: list[bytes], trailer: bytes = b"") -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
        + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, trailer, len(body))
    )


PAGE_TREE = [
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
]


def rc4(key: bytes, data: bytes) -> bytes:
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for value in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(value ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def encrypted_pdf(password: bytes) -> bytes:
    """The standard security handler, revision 2 with 40 bits (ISO 32000-1, 7.6.3)."""
    padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    padded = (password + padding)[:32]
    file_id = bytes(16)
    owner = rc4(hashlib.md5((b"owner" + padding)[:32]).digest()[:5], padded)  # noqa: S324 the format's own
    permissions = struct.pack("<i", -4)
    key = hashlib.md5(padded + owner + permissions + file_id).digest()[:5]  # noqa: S324 the format's own
    user = rc4(key, padding)
    objects = [*PAGE_TREE, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"]
    handler = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (
        owner.hex().encode(),
        user.hex().encode(),
    )
    return pdf_of([*objects, handler], b"/Encrypt 4 0 R /ID [<%s> <%s>]" % ((file_id.hex().encode(),) * 2))


def pdf_with_picture(width: int, height: int) -> bytes:
    draw = b"q 200 0 0 200 0 0 cm /I Do Q"
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R"
        b" /Resources << /XObject << /I 5 0 R >> >> >>"
    )
    picture = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1"
        b" /ColorSpace /DeviceGray /Length 4 >>\nstream\n\0\0\0\0\nendstream" % (width, height)
    )
    contents = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw)
    return pdf_of([*PAGE_TREE, page, contents, picture])


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("passport.jpg", saved(noise(), "JPEG"))
    return out.getvalue()


@dataclass(frozen=True)
class Case:
    """One bad file, how it is made, and what must be said about it."""

    name: str
    make: Callable[[], bytes]
    reason: Reason
    page: int = 1
    metadata: dict[str, str] = field(default_factory=dict)


U, C, A = Reason.IMAGE_UNSUPPORTED, Reason.IMAGE_CORRUPT, Reason.IMAGE_ANIMATED
MANY, SMALL = Reason.IMAGE_TOO_MANY_PIXELS, Reason.IMAGE_TOO_SMALL
JPEG_MARK, PNG_MARK = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

CASES = [
    Case("no bytes", lambda: b"", Reason.IMAGE_EMPTY),
    Case(
        "over the byte limit",
        lambda: bytes(200_001),
        Reason.IMAGE_TOO_LARGE,
        metadata={"limit": "200000", "actual": "200001"},
    ),
    Case("one byte", lambda: b"\xff", U),
    Case("random bytes", lambda: np.random.default_rng(3).bytes(4096), U),
    Case("a text file", lambda: b"P<UTOERIKSSON<<ANNA<MARIA\n" * 20, U),
    Case("JSON", lambda: b'{"image": "aGVsbG8="}', U),
    Case("base64 of a JPEG", lambda: b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJ", U),
    Case("SVG", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', U),
    Case("HTML", lambda: b"<!doctype html><html><body>404</body></html>", U),
    Case("HEIC", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), U),
    Case("AVIF", lambda: b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(64), U),
    Case("ZIP", archive, U),
    Case("an executable", lambda: b"\x7fELF\x02\x01\x01" + bytes(200), U),
    Case("ICO", lambda: saved(noise(32, 32), "ICO"), U),
    Case("PPM", lambda: saved(noise(), "PPM"), U),
    Case("ICNS claiming everything", lambda: b"icns\0\0\x10\0" + bytes(100), U),
    Case("Photoshop", lambda: b"8BPS\0\x01" + bytes(100), U),
    Case("JPEG: mark only", lambda: JPEG_MARK, C),
    Case("JPEG: noise after the mark", lambda: JPEG_MARK + np.random.default_rng(4).bytes(500), C),
    Case("JPEG: header only", lambda: cut(saved(noise(), "JPEG"), 0.08), C),
    Case("JPEG: half", lambda: cut(saved(noise(), "JPEG"), 0.5), C),
    Case("JPEG: nine tenths", lambda: cut(saved(noise(), "JPEG"), 0.9), C),
    Case("JPEG: progressive, half", lambda: cut(saved(noise(), "JPEG", progressive=True), 0.5), C),
    Case("JPEG: no end of passes", lambda: saved(noise(), "JPEG") + b"\xff\xda" * 101, C),
    Case("JPEG: over the pixel limit", lambda: jpeg_claiming(60_000, 60_000), MANY),
    Case("JPEG: no height", lambda: jpeg_claiming(100, 0), C),
    Case("PNG: mark only", lambda: PNG_MARK, C),
    Case("PNG: header only", lambda: cut(saved(noise(), "PNG"), 0.002), C),
    Case("PNG: a third", lambda: cut(saved(noise(), "PNG"), 0.33), C),
    Case("PNG: all but the end", lambda: cut(saved(noise(), "PNG"), 0.95), C),
    Case("PNG: zeros inside", lambda: damaged(saved(noise(), "PNG"), 5000), C),
    Case(
        "PNG: a bomb",
        lambda: png_bomb(60_000, 60_000),
        MANY,
        metadata={"limit": "1000000", "actual": "3600000000", "width_px": "60000"},
    ),
    Case("PNG: a bomb of 2³¹ columns", lambda: png_bomb(0x7FFFFFFF, 0x7FFFFFFF), MANY),
    Case("PNG: one row too many", lambda: png_bomb(1000, 1001, 8), MANY),
    Case("PNG: no columns", lambda: png_bomb(0, 10), C),
    Case("PNG: too little data", lambda: png_bomb(990, 1000, 16), C),
    Case("PNG: animated", lambda: several("PNG"), A),
    Case("PNG: one pixel", lambda: saved(noise(1, 1), "PNG"), SMALL, metadata={"limit": "8", "actual": "1"}),
    Case("PNG: a hair", lambda: saved(noise(1000, 7), "PNG"), SMALL),
    Case("WebP: mark only", lambda: b"RIFF\x10\0\0\0WEBP", C),
    Case("WebP: half", lambda: cut(saved(noise(), "WEBP"), 0.5), C),
    Case("WebP: lossless, nine tenths", lambda: cut(saved(noise(), "WEBP", lossless=True), 0.9), C),
    Case("WebP: over the pixel limit", lambda: webp_claiming(16_000, 16_000), MANY),
    Case("WebP: animated", lambda: several("WEBP"), A),
    Case("GIF: mark only", lambda: b"GIF89a", C),
    Case("GIF: animated", lambda: several("GIF"), A),
    Case("GIF: a frame larger than its page", lambda: gif_with_frame(60_000, 60_000), MANY),
    Case("GIF: half", lambda: cut(saved(noise(), "GIF"), 0.5), C),
    Case("BMP: mark only", lambda: b"BM", C),
    Case("BMP: half", lambda: cut(saved(noise(), "BMP"), 0.5), C),
    Case("TIFF: mark only", lambda: b"II*\0", C),
    Case("TIFF: several pages", lambda: several("TIFF"), A),
    Case("TIFF: half", lambda: cut(saved(noise(), "TIFF"), 0.5), C),
    Case("TIFF: over the pixel limit", lambda: tiff_claiming(100_000, 100_000), MANY),
    Case("TIFF: a tile over the pixel limit", lambda: tiff_with_tile(60_000), MANY),
    Case("TIFF: a directory that points at itself", lambda: b"II*\0\x08\0\0\0\0\0\x08\0\0\0", C),
    Case("TIFF: an unknown compression", lambda: tiff_claiming(100, 100, compression=60_000), C),
    Case("TIFF: an unknown pixel format", lambda: tiff_claiming(100, 100, bits=7), C),
    Case("PDF: mark only", lambda: b"%PDF-1.7\n", Reason.PDF_CORRUPT),
    Case("PDF: half", lambda: cut(pdf((200, 200)), 0.5), Reason.PDF_CORRUPT),
    Case("PDF: noise", lambda: b"%PDF-1.7\n" + np.random.default_rng(5).bytes(900), Reason.PDF_CORRUPT),
    Case("PDF: encrypted", lambda: encrypted_pdf(b"secret"), Reason.PDF_ENCRYPTED),
    Case("PDF: no pages", pdf, Reason.PDF_CORRUPT),
    Case("PDF: page 0", lambda: pdf((200, 200)), Reason.PDF_PAGE_OUT_OF_RANGE, page=0),
    Case("PDF: page -1", lambda: pdf((200, 200)), Reason.PDF_PAGE_OUT_OF_RANGE, page=-1),
    Case(
        "PDF: page 99 of 2",
        lambda: pdf((200, 200), (200, 200)),
        Reason.PDF_PAGE_OUT_OF_RANGE,
        page=99,
        metadata={"limit": "2", "actual": "99"},
    ),
    Case("PDF: a page of 5 by 5 metres", lambda: pdf((14_400, 14_400)), MANY),
    Case("PDF: a page of 1 by 1 point", lambda: pdf((1, 1)), SMALL),
    Case("PDF: a picture over the pixel limit", lambda: pdf_with_picture(60_000, 60_000), MANY),
]
