"""PDF files of one page: text that is drawn, text that is only told, and pictures; made byte by byte."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

_WIDTH, _HEIGHT = 595, 842
_PITCH = 30


@dataclass(frozen=True, slots=True)
class PdfPage:
    """What a page of A4 has."""

    drawn: Sequence[str] = ()
    """Lines of text that are seen, from the top; in Helvetica, 16 points."""
    told: Sequence[str] = ()
    """Lines at the same places that are in the file and never drawn, as scanners add them."""
    picture: Image.Image | None = None
    """A picture over the whole page, below the text."""
    turn_degrees: int = 0
    """What a viewer turns the page by, clockwise."""


def pdf(*pages: PdfPage) -> bytes:
    """The file."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for page in pages:
        contents, picture = len(objects) + 2, len(objects) + 3
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Rotate %d /Contents %d 0 R /Resources <<"
            b" /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica"
            b" /Encoding /WinAnsiEncoding >> >>"
            b" /XObject << /I %d 0 R >> >> >>" % (_WIDTH, _HEIGHT, page.turn_degrees, contents, picture)
        )
        objects.append(_stream(b"", _contents(page)))
        objects.append(_image(page.picture or Image.new("RGB", (8, 8), "white")))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return _file(objects)


def _contents(page: PdfPage) -> bytes:
    picture = b"q %d 0 0 %d 0 0 cm /I Do Q " % (_WIDTH, _HEIGHT) if page.picture is not None else b""
    return picture + _text(page.drawn, 0) + _text(page.told, 3)


def _text(lines: Sequence[str], mode: int) -> bytes:
    """Text operators; mode 0 fills the letters, 3 draws nothing (ISO 32000-1, 9.3.6)."""
    shown = b"BT /F 16 Tf %d Tr " % mode
    for number, line in enumerate(lines):
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")
        shown += b"1 0 0 1 60 %d Tm (%s) Tj " % (_HEIGHT - 80 - _PITCH * number, escaped)
    return shown + b"ET "


def _image(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, "JPEG", quality=92)
    return _stream(
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace /DeviceRGB"
        b" /Filter /DCTDecode" % picture.size,
        encoded.getvalue(),
    )


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def _file(objects: Sequence[bytes]) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(body))
    )
