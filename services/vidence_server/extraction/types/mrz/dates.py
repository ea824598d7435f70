"""Six-digit dates YYMMDD and the century they belong to (ICAO Doc 9303-3, section 4.8)."""

from __future__ import annotations

import re
from datetime import date

_LAYOUT = re.compile(r"(\d\d)(\d\d|<<)(\d\d|<<)")
EXPIRY_YEARS_AHEAD = 50
"""An expiry date is taken as at most this many years after today, and as less than that before."""


def birth_date(text: str, today: date) -> str:
    """ISO 8601 of a birth date; its century is the latest that does not put it after `today`.

    Unknown parts are fillers: `7408<<` gives `1974-08`, `74<<<<` gives `1974`. Empty where `text` is no date.
    """
    parts = _parts(text)
    if parts is None:
        return ""
    year, month, day = parts
    century = today.year - today.year % 100
    latest = (today.year % 100, today.month, today.day)
    if (year, month or 1, day or 1) > latest:
        century -= 100
    return _iso(century + year, month, day)


def expiry_date(text: str, today: date) -> str:
    """ISO 8601 of an expiry date; its year lies in (today − 50 years, today + 50 years].

    Unknown parts as in `birth_date`. Empty where `text` is no date.
    """
    parts = _parts(text)
    if parts is None:
        return ""
    two_digits, month, day = parts
    last_year = today.year + EXPIRY_YEARS_AHEAD
    year = last_year - (last_year - two_digits) % 100
    return _iso(year, month, day)


def _parts(text: str) -> tuple[int, int | None, int | None] | None:
    match = _LAYOUT.fullmatch(text)
    if match is None:
        return None
    month, day = (None if part == "<<" else int(part) for part in match.groups()[1:])
    if month is None and day is not None:
        return None
    return int(match[1]), month, day


def _iso(year: int, month: int | None, day: int | None) -> str:
    try:
        complete = date(year, month or 1, day or 1)
    except ValueError:
        return ""
    if month is None:
        return f"{year:04d}"
    return complete.isoformat() if day is not None else f"{year:04d}-{month:02d}"
