"""What was to be paid, how much of it is tax, and what proves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from vidence_server.extraction.types.receipt.page import LineAmount, ReceiptPage, Row, words_of
from vidence_server.extraction.types.receipt.vocabulary import (
    CHANGE,
    NO_TOTALS,
    ROUNDING,
    SUBTOTALS,
    TAX_NUMBERS,
    TAXES,
    TENDERED,
    TOTALS,
)

_BY_TENDER = 0.45
"""What it is worth that an amount is what was given less what was given back."""
_BY_REPEAT = 0.06
_LATER = 0.1
"""What the last row is worth more than the first."""
_AFTER_ROUNDING = 0.2
_LARGE = 0.1
_TALL = 1.3
_MOST_TAX = Decimal("0.3")
"""Share of the total that no sales tax exceeds."""
_TAX_SUMS = ("total gst", "total tax", "total vat", "total sst", "tax amount", "gst payable", "tax payable")
_SUMMARY = ("gst summary", "tax summary", "sst summary", "vat summary", "gst sumary")


@dataclass(frozen=True, slots=True)
class Total:
    """An amount that may be the total."""

    found: LineAmount
    label: Row
    score: float
    """0–1 and more."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What a candidate is judged by."""

    rows: Sequence[Row]
    paid: Decimal | None
    rounding: Decimal
    rounded: int
    """Index of the row with the rounding; the number of rows where there is none."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The lower part of a receipt."""

    total: Total | None
    others: tuple[Decimal, ...]
    """Other amounts that have a total's label."""
    subtotal: LineAmount | None
    rounding: Decimal
    tendered: Decimal | None
    """What was given."""
    change: Decimal | None
    """What was given back."""
    tax: LineAmount | None
    start: int
    """Index of the first row that is a sum; the number of rows where none is."""

    @property
    def paid(self) -> Decimal | None:
        """What was given less what was given back; None unless both are told."""
        if self.tendered is None or self.change is None:
            return None
        return abs(self.tendered) - abs(self.change)


def read_totals(page: ReceiptPage) -> Totals:
    """Finds the sums of a receipt."""
    rows = page.rows
    end = next((place for place, row in enumerate(rows) if row.says_any(_SUMMARY)), len(rows))
    body = rows[:end]
    tendered = _first(body, TENDERED, without=("total",))
    change = _first(body, CHANGE, without=("exchange",))
    rounding = _first(body, ROUNDING, without=("total",))
    candidates = list(_candidates(body))
    paid = None
    if tendered and change:
        paid = abs(tendered.amount.value) - abs(change.amount.value)
    around = _Around(
        body,
        paid,
        rounding.amount.value if rounding else Decimal(0),
        next((place for place, row in enumerate(body) if row.says_any(ROUNDING)), len(rows)),
    )
    scored = [
        Total(found, row, _score(place, row, found, base, around)) for place, row, found, base in candidates
    ]
    best = max(scored, key=lambda total: total.score, default=None)
    if best is None and tendered is not None:
        best = _by_tender(body, tendered, paid)
    sums = [place for place, row, _, _ in candidates] + [
        place for place, row in enumerate(body) if row.says_any(SUBTOTALS)
    ]
    return Totals(
        total=best,
        others=tuple(
            dict.fromkeys(total.found.amount.value for total in sorted(scored, key=lambda one: -one.score))
        ),
        subtotal=_first(body, SUBTOTALS),
        rounding=around.rounding,
        tendered=tendered.amount.value if tendered else None,
        change=change.amount.value if change else None,
        tax=_tax(rows, end, best.found.amount.value if best else None),
        start=min(sums, default=len(rows)),
    )


def _candidates(rows: Sequence[Row]) -> Iterable[tuple[int, Row, LineAmount, float]]:
    """Rows with a total's label and the amount it labels: in the row, else alone in the next."""
    for place, row in enumerate(rows):
        worth = _label_worth(row)
        if not worth:
            continue
        found = row.amounts[-1] if row.amounts else None
        if found is None and place + 1 < len(rows):
            below = rows[place + 1]
            if len(below.pieces) == 1 and below.amounts and len(below.words) <= 3:
                found = below.amounts[0]
        if found is not None:
            yield place, row, found, worth


def _label_worth(row: Row) -> float:
    excluding = row.says_any(("excluding", "excl", "exc", "exclude", "before"))
    if row.says_any(phrase for phrase in NO_TOTALS if not _only_total(row, phrase)) or excluding:
        return 0.0
    return max((worth for phrase, worth in TOTALS if row.says(phrase)), default=0.0)


def _only_total(row: Row, phrase: str) -> bool:
    """`change`, `points` and the like count against a total only where no clear label stands with them."""
    return (
        len(words_of(phrase)) == 1
        and phrase not in {"subtotal", "qty"}
        and row.says_any(("grand total", "net total", "total payable"))
    )


def _score(place: int, row: Row, found: LineAmount, base: float, around: _Around) -> float:
    value = found.amount.value
    score = base + _LATER * place / max(1, len(around.rows))
    if around.paid is not None and around.paid == value:
        score += _BY_TENDER
    same = sum(other.amount.value == value for one in around.rows for other in one.amounts)
    score += _BY_REPEAT * min(3, same - 1)
    if place > around.rounded and around.rounding:
        score += _AFTER_ROUNDING
    if row.height > _TALL * median(one.height for one in around.rows):
        score += _LARGE
    return score - 1.0 if not value else score


def _by_tender(rows: Sequence[Row], tendered: LineAmount, paid: Decimal | None) -> Total | None:
    """Without any label: what was paid, where it stands."""
    value = paid if paid is not None else tendered.amount.value
    for row in rows:
        for found in row.amounts:
            if found.amount.value == value:
                return Total(found, row, 0.4)
    return None


def _first(rows: Sequence[Row], labels: Iterable[str], *, without: Iterable[str] = ()) -> LineAmount | None:
    labels, without = tuple(labels), tuple(without)
    for row in rows:
        if row.amounts and row.says_any(labels) and not row.says_any(without):
            return row.amounts[-1]
    return None


def _tax(rows: Sequence[Row], end: int, total: Decimal | None) -> LineAmount | None:
    """The amount of tax: in a row of its own, else the last column of a summary."""
    own = [row for row in rows[:end] if row.amounts and _tells_tax(row) and _taxable(row.amounts[-1], total)]
    summed = [row for row in own if row.says_any(_TAX_SUMS)]
    chosen = summed or [row for row in own if row.amounts[-1].amount.value] or own
    if chosen:
        return chosen[-1].amounts[-1]
    for row in rows[end + 1 : end + 8]:
        if len(row.amounts) >= 2 and abs(row.amounts[-1].amount.value) < abs(row.amounts[-2].amount.value):
            return row.amounts[-1]
    return None


def _tells_tax(row: Row) -> bool:
    named = any(word in TAXES or (word.endswith("gst") and len(word) <= 5) for word in row.words)
    return named and not any(word in TAX_NUMBERS for word in row.words)


def _taxable(found: LineAmount, total: Decimal | None) -> bool:
    """Whether an amount is small enough to be the tax in a total."""
    return total is None or abs(found.amount.value) <= _MOST_TAX * abs(total)
