"""Who issued a receipt and where: the rows above everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidence_server.extraction.types.receipt.page import ReceiptPage, Row, words_of
from vidence_server.extraction.types.receipt.vocabulary import (
    COMPANY_FORMS,
    NO_NAMES,
    PLACES,
    REGIONS,
    STOPS,
    TRADES,
)

_HEADER_ROWS = 16
"""Company and address are among so many first rows."""
_NAME_ROWS = 7
_SAME_HEIGHT = 1.3
_CENTRED = 0.14
"""Rows of one name have centres so near to each other, in widths of the receipt."""
_POSTCODE = re.compile(r"(?<![\d-])(?:\d{5}(?:-\d{4})?|\d{6}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})(?![\d-])")
_REGISTRATION = re.compile(
    r"\s*[(\[]?\s*(?:co\.?|reg\.?|roc|company)?\s*(?:no\.?)?\s*[:.]?\s*"
    r"[A-Z]{0,3}\d[\d -]{4,}(?:-?\s?[A-Z0-9])?\s*[)\]]?\s*$",
    re.IGNORECASE,
)
_HOUSE = re.compile(r"^\W*(?:no\.?\s*)?\d+[A-Z]?(?:[-/&,]\s?\d*[A-Z]?)*[,.]?\s?[A-Z]", re.IGNORECASE)
_PHONE = re.compile(r"^\W*(?:\(?\+?\d[\d ()/-]{6,})$")
_NUMBERED = ("company no", "co no", "co reg", "reg no", "br no", "gst", "sst", "tel", "fax", "owned by")
_LETTERS = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Told:
    """A text put together from rows."""

    text: str
    rows: tuple[Row, ...]
    confidence: float
    """0–1: how surely it was read, times how surely it is what it is taken for."""


def merchant_name(page: ReceiptPage) -> Told | None:
    """The issuer's name: with a legal form where one stands near the top, else the first name-like rows."""
    rows = [row for row in page.rows[: _address_start(page)] if row.legible][:_NAME_ROWS]
    named = [place for place, row in enumerate(rows) if _may_be_name(row)]
    if not named:
        return None
    formed = [place for place in named if _legal_form(rows[place])]
    trade = [place for place in named if _trade(rows[place])]
    place = next(iter(formed), next(iter(trade), named[0]))
    chosen = [rows[place]]
    if formed and _needs_more(rows[place]) and place and _belongs_before(rows[place - 1], rows[place], page):
        chosen.insert(0, rows[place - 1])
    elif not formed and place + 1 < len(rows) and _needs_more(rows[place]) and place + 1 in trade:
        chosen.append(rows[place + 1])
    text = _REGISTRATION.sub("", " ".join(row.text for row in chosen)).strip(" ,:;")
    sure = 0.95 if formed or trade else 0.7
    return Told(text, tuple(chosen), sure * min(row.confidence for row in chosen))


def _may_be_name(row: Row) -> bool:
    letters = len(_LETTERS.findall(row.text))
    if letters < 4 or letters * 2 < len(row.text.replace(" ", "")):
        return False
    bare = " ".join(row.words)
    if bare in NO_NAMES or row.begins(_NUMBERED) or (row.begins(STOPS) and not _legal_form(row)):
        return False
    return not any(row.says(name) and len(words_of(name)) + 1 >= len(row.words) for name in NO_NAMES)


def _legal_form(row: Row) -> bool:
    words = words_of(_REGISTRATION.sub("", row.text))
    tail = words[-3:]
    for form in COMPANY_FORMS:
        wanted = words_of(form)
        if len(wanted) > 1 and len(form) > 4 and row.says(form):
            return True
        if tuple(tail[-len(wanted) :]) == wanted and len(words) > len(wanted):
            return True
    return False


def _trade(row: Row) -> bool:
    return any(word in TRADES or (word.endswith(TRADES) and len(word) > 8) for word in row.words)


def _needs_more(row: Row) -> bool:
    """Whether too little of a name is left when forms, places in brackets and numbers are taken away."""
    bare = re.sub(r"\([^)]*\)", " ", row.text)
    forms = {word for form in COMPANY_FORMS for word in words_of(form)}
    return (
        len([word for word in words_of(bare) if word not in forms and not word.isdigit() and len(word) > 1])
        < 2
    )


def _belongs_before(above: Row, row: Row, page: ReceiptPage) -> bool:
    alike = max(above.height, row.height) < _SAME_HEIGHT * min(above.height, row.height)
    centred = abs((above.left + above.right) - (row.left + row.right)) / 2 < _CENTRED * page.width
    near = row.top - above.bottom < 0.6 * row.height
    return alike and near and (centred or abs(above.left - row.left) < row.height) and _may_be_name(above)


def merchant_address(page: ReceiptPage) -> Told | None:
    """The first block of rows that is an address: from a house or street to a postcode or region."""
    start = _address_start(page)
    if start >= min(len(page.rows), _HEADER_ROWS):
        return None
    rows: list[Row] = []
    for row in page.rows[start:_HEADER_ROWS]:
        if _stops(row):
            break
        if rows and _complete(rows) and not _goes_on(rows[-1], row):
            break
        rows.append(row)
    while len(rows) > 1 and not (_indicates(rows[-1]) or _region(rows[-1]) or _linked(rows[-2], rows[-1])):
        rows.pop()
    if not rows:
        return None
    text = re.sub(r"\s+", " ", " ".join(row.text for row in rows)).strip(" :;")
    sure = 0.95 if _complete(rows) else 0.75
    return Told(text, tuple(rows), sure * min(row.confidence for row in rows))


def _address_start(page: ReceiptPage) -> int:
    """Index of the address's first row; the number of rows where there is none."""
    for place, row in enumerate(page.rows[:_HEADER_ROWS]):
        if place and row.legible and not _stops(row) and not _legal_form(row) and _starts(page.rows, place):
            return place
    return len(page.rows)


def _starts(rows: Sequence[Row], place: int) -> bool:
    row = rows[place]
    if _HOUSE.match(row.text) and len(_LETTERS.findall(row.text)) >= 4:
        following = rows[place + 1 : place + 4]
        return _indicates(row) or any(_indicates(below) for below in following)
    return _indicates(row)


def _indicates(row: Row) -> bool:
    """Whether a row has a word of streets, a postcode, or both."""
    if _PHONE.match(row.text):
        return False
    words = set(row.words)
    places = words & set(PLACES)
    if _POSTCODE.search(row.text) and len(_LETTERS.findall(row.text)) >= 4:
        return True
    strong = places - {"no", "unit", "section", "city", "park", "off", "sa", "av", "st", "pt", "garden"}
    return bool(strong) or (bool(places) and any(char.isdigit() for char in row.text))


def _stops(row: Row) -> bool:
    if _PHONE.match(row.text) or "@" in row.text or "www" in row.text.casefold():
        return True
    if row.words and row.words[0] == "no" and len(row.words) > 1 and row.words[1].isdigit():
        return False
    if row.begins(STOPS):
        return True
    # "(81109-A)", "Reg: 1203": letters are few, or a label with its number
    return bool(re.fullmatch(r"\W*[A-Z]{0,3}[\d\W]+[A-Z]?\W*", row.text)) or row.says_any(
        ("gst id", "gst reg", "gst no", "reg no", "co reg", "company no", "tax invoice")
    )


def _complete(rows: Sequence[Row]) -> bool:
    return any(_POSTCODE.search(row.text) for row in rows)


def _goes_on(last: Row, row: Row) -> bool:
    """Whether a row continues an address that has its postcode."""
    return _region(row) or (
        last.text.rstrip().endswith((",", "-")) and len(row.words) <= 4 and not row.text.startswith("(")
    )


def _linked(above: Row, row: Row) -> bool:
    """Whether a comma says that the address goes on from one row to the next."""
    return above.text.rstrip().endswith((",", ".")) and row.text.rstrip().endswith(",")


def _region(row: Row) -> bool:
    bare = " ".join(row.words)
    return bare in REGIONS or any(
        part.strip() in REGIONS for part in row.text.casefold().strip(" .").split(",")
    )
