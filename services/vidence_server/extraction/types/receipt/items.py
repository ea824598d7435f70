"""What was bought: rows with an amount in the last column, between the head and the sums."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vidence_server.extraction.types.receipt.page import LineAmount, ReceiptPage, Row
from vidence_server.extraction.types.receipt.vocabulary import DATE_LABELS, ITEM_HEADS, STOPS, TAXES
from vidence_server.vision.text import TextLine

_QUANTITY = re.compile(
    r"(?<![\d.,-])(\d{1,4}(?:[.,]\d{1,3})?)\s?[xX@×*](?=\s|$|\d+[.,]\d)\s?(\d+[.,]\d{2,4})?"
)
_LEADING = re.compile(r"^\s*(\d{1,3})\s+(?=[^\W\d_]|\d{4,})")
_WHOLE = re.compile(r"^\d{1,3}(?:\.0+)?$")
_CODE = re.compile(r"^[\W\d]*$")
_LETTERS = re.compile(r"[^\W\d_]")
_COLUMN = 0.12
"""Amounts end within so much of the receipt's width of the last column."""
_SUMS = (
    "total",
    "subtotal",
    "sub total",
    "rounding",
    "tota",
    "item count",
    "service charge",
    "serv charge",
    "service chg",
)
"""Words of rows that sum up."""
_NAME_LETTERS = 5
"""Letters that name something; fewer are a unit or a tax code."""
_MOST_ROWS = 2
"""Rows that describe one position, beside that with its amount."""


@dataclass(frozen=True, slots=True)
class Item:
    """One position."""

    description: str
    description_lines: tuple[TextLine, ...]
    amount: LineAmount
    quantity: str
    quantity_line: TextLine | None
    unit_price: str
    """Decimal; empty where it is not told."""
    unit_price_line: TextLine | None

    @property
    def proved(self) -> bool | None:
        """Whether quantity × unit price is the amount; None where one of them is unknown."""
        if not self.quantity or not self.unit_price:
            return None
        product = Decimal(self.quantity) * Decimal(self.unit_price)
        return product.quantize(Decimal("0.01")) == self.amount.amount.value


def read_items(page: ReceiptPage, end: int) -> list[Item]:
    """The positions above row `end`."""
    start = _start(page.rows[:end])
    rows = list(page.rows[start:end])
    priced = [row for row in rows if _priced(row, page)]
    below = _described_below(rows, priced)
    items: list[Item] = []
    used: set[int] = set()
    for row in priced:
        place = rows.index(row)
        lines = _own_description(row)
        if not lines:
            near = rows[place + 1 : place + 3] if below else rows[max(0, place - 3) : place][::-1]
            lines = _description_near(near, used, priced)
        items.append(_item(row, lines))
        used.add(id(row))
    return items


def _start(rows: Sequence[Row]) -> int:
    """Behind the head of the columns, else at the first row with an amount and the one before it."""
    first = next((place for place, row in enumerate(rows) if row.amounts), len(rows))
    heads = [place for place, row in enumerate(rows[:first]) if _is_head(row)]
    return heads[-1] + 1 if heads else max(0, first - 2)


def _is_head(row: Row) -> bool:
    known = sum(word in ITEM_HEADS or word in {"rm", "gst"} for word in row.words)
    return not row.amounts and known >= 2 and known * 2 >= len(row.words)


def _priced(row: Row, page: ReceiptPage) -> bool:
    if not row.amounts:
        return False
    if row.says_any(_SUMS) or any(word in TAXES for word in row.words):
        return False
    return row.amounts[-1].right > page.left + (0.62 - _COLUMN) * page.width


def _own_description(row: Row) -> list[TextLine]:
    """Pieces of the row that name something: words, and no amount at their start."""
    found = []
    letters = 0
    for piece in row.pieces:
        text = piece.item.text
        amounts = [amount for amount in row.amounts if amount.placed is piece]
        before = text[: amounts[0].amount.start] if amounts else text
        before = _QUANTITY.sub("", before)
        if len(_LETTERS.findall(before)) >= 3:
            found.append(piece.item)
            letters += len(_LETTERS.findall(before))
    return found if letters >= _NAME_LETTERS else []


def _described_below(rows: Sequence[Row], priced: Sequence[Row]) -> bool:
    """Whether bare amounts come before their descriptions: the first row tells."""
    bare = [row for row in priced if not _own_description(row)]
    if not bare or not rows:
        return False
    above = rows[: rows.index(bare[0])]
    return not any(_describes(row) for row in above)


def _describes(row: Row) -> bool:
    if row.begins(STOPS) or row.says_any(DATE_LABELS):
        return False
    return not row.amounts and len(_LETTERS.findall(row.text)) >= 3 and not _CODE.match(row.text)


def _description_near(near: Sequence[Row], used: set[int], priced: Sequence[Row]) -> list[TextLine]:
    """What the nearest rows say, in reading order."""
    found: list[list[TextLine]] = []
    for row in near:
        if row in priced or id(row) in used or len(found) == _MOST_ROWS:
            break
        if _describes(row):
            used.add(id(row))
            found.append([piece.item for piece in row.pieces if len(_LETTERS.findall(piece.item.text)) >= 2])
        elif found:
            break
    return sorted((line for lines in found for line in lines), key=lambda line: line.index)


def _item(row: Row, lines: Sequence[TextLine]) -> Item:
    amount = row.amounts[-1]
    quantity, quantity_line = _quantity(row)
    price, price_line = _unit_price(row)
    description = " ".join(_clean(line, row) for line in lines).strip()
    return Item(description, tuple(lines), amount, quantity, quantity_line, price, price_line)


def _unit_price(row: Row) -> tuple[str, TextLine | None]:
    for piece in row.pieces:
        found = _QUANTITY.search(piece.item.text)
        if found and found[2]:
            return found[2].replace(",", "."), piece.item
    if len(row.amounts) > 1:
        return row.amounts[-2].amount.text, row.amounts[-2].placed.item
    return "", None


def _clean(line: TextLine, row: Row) -> str:
    text = line.text
    amounts = [amount.amount for amount in row.amounts if amount.placed.item is line]
    if amounts:
        text = text[: amounts[0].start]
    if any(piece.item is line for piece in row.pieces):
        text = _LEADING.sub("", text)
    return _QUANTITY.sub("", text).strip(" @*:-")


def _quantity(row: Row) -> tuple[str, TextLine | None]:
    for piece in row.pieces:
        text = piece.item.text.strip()
        found = _QUANTITY.search(text) or (_LEADING.match(text) if piece is row.pieces[0] else None)
        if found:
            return _plain(found[1]), piece.item
    for piece in row.pieces[:-1]:
        if _WHOLE.match(piece.item.text.strip()):
            return _plain(piece.item.text.strip()), piece.item
    return "", None


def _plain(text: str) -> str:
    value = Decimal(text.replace(",", "."))
    return str(value.to_integral_value()) if value == value.to_integral_value() else str(value.normalize())
