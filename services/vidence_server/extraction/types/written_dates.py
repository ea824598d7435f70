"""Days as people write them: in figures or with the name of the month, day first unless that cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS: tuple[tuple[str, ...], ...] = (
    ("jan", "ene", "enero"), ("feb", "febrero", "pebrero"), ("mar", "mac", "marso", "marzo"),
    ("apr", "abr", "abril"), ("may", "mei", "mayo"), ("jun", "junio", "hunyo"),
    ("jul", "julai", "julio", "hulyo"), ("aug", "ogos", "ago", "agosto"),
    ("sep", "sept", "set", "setyembre"), ("oct", "okt", "octubre"), ("nov", "nobyembre"),
    ("dec", "dis", "dic", "diciembre"),
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_SEPARATOR = r"\s?[/.\-–]\s?"
_NUMERIC = re.compile(
    rf"(?<![\d/.-])(\d{{1,2}})({_SEPARATOR})(\d{{1,2}}){_SEPARATOR}(\d{{4}}|\d{{2}})(?!\d|[/.-]\d)"
)
_YEAR_FIRST = re.compile(
    rf"(?<![\d/.-])((?:19|20)\d\d){_SEPARATOR}(\d{{1,2}}){_SEPARATOR}(\d{{1,2}})(?!\d|[/.-]\d)"
)
_NAMED = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|º)?[\s/.,-]{0,2}(?:de )?([A-Za-z]{3,9})\.?'?"
    r"[\s/.,-]{0,2}(?:de )?(\d{4}|\d{2})(?!\d)"
)
_MONTH_FIRST = re.compile(
    r"(?<![A-Za-z])([A-Za-z]{3,9})\.?\s?(\d{1,2})(?:st|nd|rd|th)?\s?[,.\s]\s?(\d{4})(?!\d)"
)
_COMPACT = re.compile(r"(?<!\d)((?:20)\d\d)([01]\d)([0-3]\d)(?!\d)")
_EARLIEST = 1990
"""No day before it is taken for one, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A day in a line."""

    day: date
    start: int
    end: int
    other: date | None = None
    """The day it is if the month comes first, where that is possible too."""
    certain: bool = True
    """False for eight digits without separators, which may be anything."""


def dates_of(text: str, today: date, *, earliest: int = _EARLIEST) -> Iterator[FoundDate]:
    """Every day from the year `earliest` to the next year, in the order of the patterns' certainty."""
    span = (earliest, today.year + 1)
    for found in _YEAR_FIRST.finditer(text):
        yield from _found(found, int(found[1]), int(found[2]), int(found[3]), span)
    for found in _NUMERIC.finditer(text):
        year = _year(found[4], today)
        first, second = int(found[1]), int(found[3])
        straight, swapped = _day(year, second, first, span), _day(year, first, second, span)
        chosen = straight or swapped
        if chosen is not None:
            other = swapped if straight and swapped and swapped != straight else None
            yield FoundDate(chosen, found.start(), found.end(), other)
    for found in _NAMED.finditer(text):
        yield from _found(found, _year(found[3], today), _month(found[2]), int(found[1]), span)
    for found in _MONTH_FIRST.finditer(text):
        yield from _found(found, int(found[3]), _month(found[1]), int(found[2]), span)
    for found in _COMPACT.finditer(text):
        day = _day(int(found[1]), int(found[2]), int(found[3]), span)
        if day is not None:
            yield FoundDate(day, found.start(), found.end(), certain=False)


def _found(
    match: re.Match[str], year: int, month: int, day: int, span: tuple[int, int]
) -> Iterator[FoundDate]:
    found = _day(year, month, day, span)
    if found is not None:
        yield FoundDate(found, match.start(), match.end())


def _month(name: str) -> int:
    low = name.casefold()
    return _MONTH.get(low) or _MONTH.get(low[:4]) or _MONTH.get(low[:3], 0)


def _year(digits: str, today: date) -> int:
    """Two digits mean the latest year that is not after the next one."""
    if len(digits) == 4:
        return int(digits)
    year = today.year - today.year % 100 + int(digits)
    return year - 100 if year > today.year + 1 else year


def _day(year: int, month: int, day: int, span: tuple[int, int]) -> date | None:
    if not span[0] <= year <= span[1]:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
