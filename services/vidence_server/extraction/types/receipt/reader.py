"""Fields out of a receipt, while its lines arrive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from vidence_server.extraction.domain.document import (
    NOT_CHECKED,
    Alternative,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.receipt.items import Item, read_items
from vidence_server.extraction.types.receipt.merchant import Told, merchant_address, merchant_name
from vidence_server.extraction.types.receipt.page import LineAmount, ReceiptPage, Row
from vidence_server.extraction.types.receipt.totals import Totals, read_totals
from vidence_server.extraction.types.receipt.vocabulary import (
    CURRENCY_HINTS,
    CURRENCY_SIGNS,
    DATE_LABELS,
    NO_DATES,
    STOPS,
)
from vidence_server.extraction.types.revisions import Revisions
from vidence_server.extraction.types.written_dates import FoundDate, dates_of
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import TextLine

TENDER_RULE = "receipt.tendered"
SUM_RULE = "receipt.items_sum"
PRODUCT_RULE = "receipt.quantity_price"
_HEAD_AT_LEAST = 8
"""So many lines are read before the head of a receipt is told."""
_TIME = re.compile(r"\d{1,2}[:.]\d{2}")


class ReceiptReader:
    """Tells company, address and date once the head is read, the rest when all lines are there."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._lines: list[TextLine] = []
        self._revisions = Revisions()
        self._head_given = False

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line; the first amount behind the head ends the head."""
        self._lines.append(line)
        if self._head_given or len(self._lines) < _HEAD_AT_LEAST:
            return []
        page = ReceiptPage(self._lines)
        last = page.rows[-1] if page.rows else None
        if last is None or not last.amounts or last.begins(STOPS):
            return []
        self._head_given = True
        return self._revisions.news(self._head(page))

    def finish(self) -> list[ExtractedField]:
        """Gives everything, better where the whole receipt tells more than its head."""
        page = ReceiptPage(self._lines)
        return self._revisions.final([*self._head(page), *self._body(page)])

    @property
    def complete(self) -> bool:
        """Never: the total may be in the last line."""
        return False

    def _head(self, page: ReceiptPage) -> Iterator[ExtractedField]:
        for key, told in (
            ("merchant.name", merchant_name(page)),
            ("merchant.address", merchant_address(page)),
        ):
            if told is not None and told.text:
                yield _told(key, told)
        found = receipt_date(page, self._today)
        if found is not None:
            yield _date(*found)

    def _body(self, page: ReceiptPage) -> Iterator[ExtractedField]:
        totals = read_totals(page)
        items = read_items(page, totals.start)
        if totals.total is not None:
            yield _total(totals, items)
        yield from _currency(page)
        if totals.tax is not None:
            yield _amount("receipt.tax", 0, totals.tax)
        for index, item in enumerate(items, 1):
            yield from _item(item, index)


def receipt_date(page: ReceiptPage, today: date) -> tuple[Row, TextLine, FoundDate] | None:
    """The day of the purchase: labelled, or with a time beside it, or the first one there is."""
    best: tuple[Row, TextLine, FoundDate] | None = None
    best_score = float("-inf")
    for place, row in enumerate(page.rows):
        for piece in row.pieces:
            for found in dates_of(piece.item.text, today):
                score = _date_score(page, place, row, found)
                if score > best_score:
                    best, best_score = (row, piece.item, found), score
    return best


def _date_score(page: ReceiptPage, place: int, row: Row, found: FoundDate) -> float:
    score = 1.0 if found.certain else 0.0
    score += 1.0 if row.says_any(DATE_LABELS) else 0.0
    above = page.rows[place - 1] if place else None
    score += 0.5 if above is not None and above.begins(DATE_LABELS) else 0.0
    score += 0.6 if _TIME.search(row.text) else 0.0
    score -= 1.5 if row.says_any(NO_DATES) else 0.0
    return score - 0.3 * place / len(page.rows)


def _told(key: str, told: Told) -> ExtractedField:
    quad = _around([piece.item.quad for row in told.rows for piece in row.pieces])
    raw = "\n".join(row.text for row in told.rows)
    return ExtractedField(key, 0, 1, raw, told.text, told.confidence, quad, FieldSource.VISUAL)


def _date(row: Row, line: TextLine, found: FoundDate) -> ExtractedField:  # noqa: ARG001 - the row told it apart
    length = max(1, len(line.text))
    others = (Alternative(found.other.isoformat(), 0.2 * line.confidence),) if found.other else ()
    sure = 1.0 if found.certain else 0.7
    return ExtractedField(
        key="receipt.date",
        index=0,
        revision=1,
        raw_value=line.text[found.start : found.end],
        value=found.day.isoformat(),
        confidence=line.confidence * sure * (0.85 if others else 1.0),
        quad=line.quad.part(found.start / length, found.end / length),
        source=FieldSource.VISUAL,
        alternatives=others,
    )


def _total(totals: Totals, items: list[Item]) -> ExtractedField:
    if totals.total is None:
        raise ValueError("a total is told where one was found")
    found = totals.total.found
    value = found.amount.value
    line = found.placed.item
    others = tuple(
        Alternative(f"{other:.2f}", 0.3 * line.confidence) for other in totals.others if other != value
    )[:3]
    sure = min(1.0, 0.5 + totals.total.score / 2)
    return ExtractedField(
        key="receipt.total",
        index=0,
        revision=1,
        raw_value=line.text[found.amount.start : found.amount.end].strip(),
        value=f"{value:.2f}",
        confidence=line.confidence * sure * (1.0 if found.amount.exact else 0.8),
        quad=found.quad,
        source=FieldSource.VISUAL,
        validation=_proof(totals, items),
        alternatives=others,
    )


def _proof(totals: Totals, items: list[Item]) -> Validation:
    """What confirms the total: the money given, or the sum of the positions; a contradiction says little."""
    if totals.total is None:
        return NOT_CHECKED
    value = totals.total.found.amount.value
    given = totals.paid if totals.paid is not None else totals.tendered
    if given is not None and abs(given) in {value, value + totals.rounding}:
        return Validation(Verdict.VALID, TENDER_RULE)
    summed = sum(item.amount.amount.value for item in items)
    tax = totals.tax.amount.value if totals.tax else 0
    if items and value in {summed, summed + tax, summed + totals.rounding, summed + tax + totals.rounding}:
        return Validation(Verdict.VALID, SUM_RULE)
    return NOT_CHECKED


def _currency(page: ReceiptPage) -> Iterator[ExtractedField]:
    for patterns, sure in ((CURRENCY_SIGNS, 0.97), (CURRENCY_HINTS, 0.7)):
        for pattern, code in patterns:
            flags = re.IGNORECASE if patterns is CURRENCY_HINTS else 0
            for row in page.rows:
                for piece in row.pieces:
                    found = re.search(pattern, piece.item.text, flags)
                    if found:
                        confidence = sure * piece.item.confidence
                        yield ExtractedField(
                            "receipt.currency",
                            0,
                            1,
                            found[0].strip(" ()"),
                            code,
                            confidence,
                            piece.item.quad,
                            FieldSource.VISUAL,
                        )
                        return


def _amount(key: str, index: int, found: LineAmount, validation: Validation = NOT_CHECKED) -> ExtractedField:
    line = found.placed.item
    raw = line.text[found.amount.start : found.amount.end].strip()
    confidence = line.confidence * (1.0 if found.amount.exact else 0.8)
    return ExtractedField(
        key, index, 1, raw, found.amount.text, confidence, found.quad, FieldSource.VISUAL, validation
    )


def _item(item: Item, index: int) -> Iterator[ExtractedField]:
    proof = Validation(Verdict.VALID, PRODUCT_RULE) if item.proved else NOT_CHECKED
    if item.description:
        lines = item.description_lines
        raw = " ".join(line.text for line in lines)
        confidence = min(line.confidence for line in lines)
        quad = _around([line.quad for line in lines])
        yield ExtractedField(
            "item.description", index, 1, raw, item.description, confidence, quad, FieldSource.VISUAL
        )
    if item.quantity and item.quantity_line is not None:
        line = item.quantity_line
        yield ExtractedField(
            "item.quantity",
            index,
            1,
            item.quantity,
            item.quantity,
            line.confidence,
            line.quad,
            FieldSource.VISUAL,
            proof,
        )
    if item.unit_price and item.unit_price_line is not None:
        line = item.unit_price_line
        yield ExtractedField(
            "item.unit_price",
            index,
            1,
            item.unit_price,
            item.unit_price,
            line.confidence,
            line.quad,
            FieldSource.VISUAL,
            proof,
        )
    yield _amount("item.amount", index, item.amount, proof)


def _around(quads: list[Quad]) -> Quad | None:
    """The upright box around some quads."""
    points = [point for quad in quads for point in quad.corners]
    if not points:
        return None
    xs, ys = [point.x for point in points], [point.y for point in points]
    return Quad(
        Point(min(xs), min(ys)), Point(max(xs), min(ys)), Point(max(xs), max(ys)), Point(min(xs), max(ys))
    )
