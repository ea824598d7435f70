"""Pages of made-up text, with every line and its box: letters, invoices, two columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from PIL import Image, ImageDraw, ImageFont

from benchmarks.ocr.metrics import Line
from rendering.degrade import Degradation, degrade
from rendering.fonts import label_font

_SIZE = (1000, 1150)
_MARGIN = 80
_INK = (32, 32, 38)
_WORDS = (
    "agreement", "amount", "annual", "apply", "archive", "balance", "before", "border", "branch", "carrier",
    "certificate", "charge", "claim", "clerk", "coast", "container", "copy", "country", "court", "cover",
    "customs", "daily", "deadline", "deliver", "deposit", "district", "double", "early", "east", "engine",
    "estimate", "evidence", "examine", "export", "factory", "february", "field", "figure", "final",
    "forward", "freight", "garden", "general", "goods", "handling", "harbour", "heavy", "history", "holder",
    "import", "indicate", "inspect", "invoice", "island", "january", "journey", "keep", "label", "large",
    "ledger", "letter", "limit", "list", "local", "manual", "margin", "market", "measure", "member",
    "merchant", "minute", "month", "morning", "native", "notice", "number", "object", "office", "open",
    "order", "origin", "owner", "paper", "parcel", "patent", "payment", "permit", "place", "policy", "port",
    "posted", "proof", "quarter", "quick", "rate", "reader", "receipt", "record", "region", "remark",
    "report", "request", "return", "sample", "seal", "section", "sender", "series", "service", "sheet",
    "shipment", "sign", "small", "south", "stamp", "station", "stock", "street", "summer", "supply",
    "surface", "table", "tariff", "tender", "term", "total", "trade", "transfer", "travel", "under",
    "union", "unit", "upper", "value", "vessel", "voyage", "warehouse", "weight", "whole", "window",
    "winter", "written", "yearly", "zone",
)  # fmt: skip

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Page:
    """A picture file and what it says."""

    content: bytes
    lines: tuple[Line, ...]


def page(seed: int) -> Page:
    """One page; the same seed gives the same bytes. Kinds take turns: letter, invoice, two columns.

    Blur to 0.8 px, noise to 6 levels, JPEG from quality 70; upright, so boxes stay where they were drawn.
    """
    random = Random(seed)
    image = Image.new("RGB", _SIZE, (252, 251, 248))
    draw = ImageDraw.Draw(image)
    texts = (_letter, _invoice, _columns)[seed % 3](random)
    lines = []
    for (x, y), text, font in texts:
        draw.text((x, y), text, font=font, fill=_INK)
        lines.append(Line(text, draw.textbbox((x, y), text, font=font)))
    spoilt = Degradation(
        blur_px=random.uniform(0, 0.8), noise=random.uniform(0, 6), jpeg_quality=random.randint(70, 92)
    )
    return Page(degrade(image, spoilt, seed), tuple(lines))


_Drawn = tuple[tuple[int, int], str, Font]


def _letter(random: Random) -> Iterator[_Drawn]:
    yield (_MARGIN, 110), _title(random), label_font(44, bold=True)
    yield (_MARGIN, 190), _date(random), label_font(24)
    yield from _paragraphs(random, (_MARGIN, 270), width=_SIZE[0] - 2 * _MARGIN, size=25)


def _columns(random: Random) -> Iterator[_Drawn]:
    yield (_MARGIN, 100), _title(random), label_font(36, bold=True)
    width = (_SIZE[0] - 2 * _MARGIN - 60) // 2
    for left in (_MARGIN, _MARGIN + width + 60):
        yield from _paragraphs(random, (left, 190), width=width, size=21)


def _invoice(random: Random) -> Iterator[_Drawn]:
    yield (_MARGIN, 100), _title(random), label_font(38, bold=True)
    yield (_MARGIN, 180), f"No. {random.randint(10_000, 999_999)} / {_date(random)}", label_font(24)
    for number in range(14):
        y = 270 + number * 56
        yield (_MARGIN, y), f"{number + 1:02d}", label_font(24)
        yield (150, y), " ".join(random.sample(_WORDS, 3)).capitalize(), label_font(24)
        yield (640, y), f"{random.randint(1, 48)} pcs", label_font(24)
        yield (800, y), f"{random.randint(1, 4999)}.{random.randint(0, 99):02d}", label_font(24)


def _paragraphs(random: Random, start: tuple[int, int], *, width: int, size: int) -> Iterator[_Drawn]:
    font = label_font(size)
    left, y = start
    while y < _SIZE[1] - 260:
        for _ in range(random.randint(3, 6)):
            yield (left, y), _line(random, font, width), font
            y += round(size * 1.8)
        y += size


def _line(random: Random, font: Font, width: int) -> str:
    """Words and numbers as long as fit."""
    text = random.choice(_WORDS).capitalize()
    while True:
        kind = random.random()
        word = _number(random) if kind < 0.12 else random.choice(_WORDS) + ("," if kind > 0.93 else "")
        if font.getlength(f"{text} {word}.") > width:
            return f"{text.rstrip(',')}."
        text = f"{text} {word}"


def _number(random: Random) -> str:
    whole = random.randint(2, 9999)
    return random.choice((f"{whole}", f"{whole / 100:.2f}", f"{whole % 100} %"))


def _title(random: Random) -> str:
    return " ".join(random.sample(_WORDS, 2)).title()


def _date(random: Random) -> str:
    return (date(2020, 1, 1) + timedelta(days=random.randint(0, 2000))).strftime("%d %B %Y")
