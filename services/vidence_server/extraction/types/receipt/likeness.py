"""How much lines look like those of a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from vidence_server.extraction.types.receipt.amounts import last_amount
from vidence_server.extraction.types.receipt.page import says, words_of
from vidence_server.extraction.types.receipt.vocabulary import CHANGE, COMPANY_FORMS, TAXES
from vidence_server.extraction.types.written_dates import dates_of
from vidence_server.vision.text import TextLine

_DOUBT = 0.6
"""What is left of the doubt after each ground."""
_LATEST = date(2100, 1, 1)
_PAPERS = ("receipt", "tax invoice", "invoice", "cash bill", "recibo", "factura", "resit", "bill no")
_SUMS = ("total", "subtotal", "sub total", "rounding", "amount due", "a pagar")
_MONEY = ("cash", "change", "cashier", "qty", "price", "amount", "discount", "payment", *CHANGE)
_COMMON_AMOUNTS = 3


def receipt_likeness(lines: Sequence[TextLine]) -> float:
    """0–1; each different ground counts once, amounts are needed."""
    words = [words_of(line.text) for line in lines]
    amounts = sum(last_amount(line.text) is not None for line in lines)
    if not amounts:
        return 0.0
    grounds = (
        amounts >= _COMMON_AMOUNTS,
        amounts >= 2 * _COMMON_AMOUNTS,
        _any(words, _SUMS),
        _any(words, _PAPERS),
        _any(words, _MONEY),
        any(set(one) & set(TAXES) for one in words),
        any(True for line in lines for _ in dates_of(line.text, _LATEST)),
        any(says(one, form) for one in words for form in COMPANY_FORMS if len(form) > 5),
        _any(words, ("tel", "phone", "fax")),
    )
    return float(1 - _DOUBT ** sum(grounds))


def _any(words: Sequence[Sequence[str]], phrases: Sequence[str]) -> bool:
    return any(says(one, phrase) for one in words for phrase in phrases)
