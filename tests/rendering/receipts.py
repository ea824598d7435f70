"""Receipts of made-up shops, with the truth about them; the rules were written without these layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from PIL import Image, ImageDraw

from rendering.fonts import label_font

STYLES = ("till", "two rows", "bistro")
"""One row a position; description above quantity and price; European commas with a bill's head."""
_INK = (46, 46, 50)
_WIDTH = 720
_COMPANIES = (
    "PASAR SEGAR MUTIARA SDN BHD", "HARBOUR LIGHT HARDWARE", "NORTHWIND STATIONERY SDN. BHD.",
    "CORAL BAY TRADING LTD", "KEDAI KOPI SERI EMBUN", "LANTERN BOOKS (M) SDN BHD",
    "TWIN RIVERS PHARMACY INC.", "PINNACLE AUTO SERVICE ENTERPRISE",
)  # fmt: skip
_STREETS = (
    ("NO. 12, JALAN KENANGA 3/7,", "TAMAN SERI MELATI,", "47301 PETALING JAYA, SELANGOR"),
    ("LOT 5-G, BLOCK B, JALAN BESAR", "81100 JOHOR BAHRU, JOHOR"),
    ("44 Harbour Street, Unit 2", "10150 PENANG"),
    ("NO 8 & 10, LORONG MELUR 2,", "KAWASAN PERINDUSTRIAN RINGAN,", "50480 KUALA LUMPUR"),
)
_GOODS = (
    "BROWN SUGAR 1KG", "PAINT BRUSH 2IN", "A4 PAPER REAM", "ICED LEMON TEA", "CHICKEN RICE",
    "LED BULB 9W", "GREEN APPLE", "COUGH SYRUP 100ML", "USB CABLE", "NOTEBOOK RULED", "FRIED NOODLE",
    "HAND SOAP REFILL", "BATTERY AA 4PC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Position:
    """One thing that was bought."""

    description: str
    quantity: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Of all of it."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says."""

    company: str
    address: tuple[str, ...]
    day: date
    positions: tuple[Position, ...]
    given: Decimal
    """Cash that was handed over."""

    @property
    def total(self) -> Decimal:
        """Sum of the positions."""
        return sum((one.amount for one in self.positions), Decimal(0))

    @property
    def truth(self) -> dict[str, str]:
        """Company, date (day first), address and total, as SROIE tells them."""
        return {
            "company": self.company,
            "date": f"{self.day:%d/%m/%Y}",
            "address": " ".join(self.address),
            "total": f"{self.total:.2f}",
        }


def random_receipt(random: Random) -> Receipt:
    """Two to six positions, paid in cash."""
    positions = tuple(
        Position(name, random.choice((1, 1, 2, 3)), Decimal(random.randint(80, 4500)) / 100)
        for name in random.sample(_GOODS, random.randint(2, 6))
    )
    total = sum((one.amount for one in positions), Decimal(0))
    given = (total // 10 + 1) * 10
    day = date(2018, 1, 1) + timedelta(days=random.randint(0, 2500))
    return Receipt(random.choice(_COMPANIES), random.choice(_STREETS), day, positions, given)


Row = tuple[str, str]
"""What stands at the left, and at the right."""


def receipt_rows(receipt: Receipt, style: str) -> list[Row]:
    """The rows below the head."""
    money = _european if style == "bistro" else _plain
    rows: list[Row] = {
        "till": [("Item            Qty", "Amount (RM)")],
        "two rows": [],
        "bistro": [("Description", "Price")],
    }[style]
    for one in receipt.positions:
        if style == "two rows":
            rows += [(one.description, ""), (f"   {one.quantity} X {money(one.price)}", money(one.amount))]
        else:
            rows.append((f"{one.quantity}  {one.description}", money(one.amount)))
    tax = (receipt.total * Decimal("0.06") / Decimal("1.06")).quantize(Decimal("0.01"))
    label = {"till": "TOTAL RM", "two rows": "Total Incl. GST", "bistro": "Total amount EUR"}[style]
    return [
        *rows,
        ("Subtotal", money(receipt.total)),
        (label, money(receipt.total)),
        ("Cash", money(receipt.given)),
        ("Change", money(receipt.given - receipt.total)),
        ("", ""),
        (f"GST 6% included in total   {money(tax)}", ""),
        ("Goods sold are not returnable", ""),
    ]


def _plain(value: Decimal) -> str:
    return f"{value:,.2f}"


def _european(value: Decimal) -> str:
    return f"{value:.2f}".replace(".", ",")


def render_receipt(receipt: Receipt, style: str) -> Image.Image:
    """A strip of paper in one of `STYLES`."""
    head = [receipt.company, *receipt.address, "Tel: 03-5550 0199", "GST ID: 000123456789", "TAX INVOICE"]
    separator = {"till": "/", "two rows": "-", "bistro": "."}[style]
    day = receipt.day.strftime(separator.join(("%d", "%m", "%Y")))
    when = {"till": f"Date: {day}  14:05", "two rows": f"{day} 18:22  T1", "bistro": f"Bill 4471   {day}"}[
        style
    ]
    rows = [(when, ""), *receipt_rows(receipt, style)]
    image = Image.new("RGB", (_WIDTH, 120 + 40 * (len(head) + len(rows) + 1)), (247, 246, 242))
    draw = ImageDraw.Draw(image)
    y = _draw_head(draw, head, 50)
    for left, right in rows:
        draw.text((40, y), left, font=label_font(22), fill=_INK)
        draw.text((_WIDTH - 40, y), right, font=label_font(22), fill=_INK, anchor="ra")
        y += 40
    return image


def _draw_head(draw: ImageDraw.ImageDraw, head: Sequence[str], y: int) -> int:
    for place, line in enumerate(head):
        font = label_font(26 if place == 0 else 21, bold=place == 0)
        draw.text((_WIDTH / 2, y), line, font=font, fill=_INK, anchor="ma")
        y += 40
    return y + 20
