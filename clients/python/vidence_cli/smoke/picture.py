"""The picture that is sent: a word in black on white, drawn when it is needed."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageDraw, ImageFont

WORD = "VIDENCE"


def sample_picture() -> bytes:
    """Draws a PNG, 480 × 160 pixels, with the word on it."""
    picture = Image.new("RGB", (480, 160), "white")
    ImageDraw.Draw(picture).text((40, 45), WORD, fill="black", font=ImageFont.load_default(size=64))
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    return encoded.getvalue()


def as_json(content: bytes) -> str:
    """Gives bytes as ProtoJSON writes them."""
    return base64.b64encode(content).decode()
