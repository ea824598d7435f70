"""Values of licence elements, normalised."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

import iso3166

from vidence_server.extraction.types.driving_licence.elements import Element, Kind

_CM_PER_INCH = 2.54
_KG_PER_POUND = 0.45359237
_SEXES = {"1": "M", "2": "F", "9": "X", "M": "M", "F": "F", "X": "X", "0": "X"}
_TRUNCATIONS = {"T": "yes", "N": "no", "U": "unknown"}
_YES, _NO = {"1", "Y", "YES", "D"}, {"0", "N", "NO", "2"}


def normalised(element: Element, raw: str) -> str:
    """The value as the key's format says; empty where it cannot be one."""
    text = " ".join(raw.split())
    match element.kind:
        case Kind.HEIGHT:
            return _height(text, centimetres=element.code == "DAV")
        case Kind.WEIGHT:
            return _weight(text, kilograms=element.code == "DAX")
        case kind:
            return _PLAIN[kind](text)


def given_names_of(full_name: str) -> str:
    """What follows the family name in a full name of version 1."""
    return " ".join(part.strip() for part in full_name.split(",")[1:] if part.strip())


def _date(text: str) -> str:
    """ISO 8601, whether the year comes first (version 1, Canada) or last; some issuers mix them up.

    No eight digits are a day in both orders: the years allowed begin with 19, 20 or 21, which no month does.
    """
    digits = re.sub(r"\D", "", text)
    if len(digits) != 8:
        return ""
    for year, month, day in ((0, 4, 6), (4, 0, 2)):
        try:
            found = date(
                int(digits[year : year + 4]), int(digits[month : month + 2]), int(digits[day : day + 2])
            )
        except ValueError:
            continue
        if 1900 <= found.year <= 2100:
            return found.isoformat()
    return ""


def _height(text: str, *, centimetres: bool) -> str:
    """Inches, feet and inches as `509`, or centimetres; nobody is a hundred inches high."""
    found = re.fullmatch(r"(\d+)\s*(IN|CM)?\.?", text.upper())
    if found is None:
        return ""
    number = int(found[1])
    if found[2] == "CM" or centimetres:
        return str(number)
    feet, inches = divmod(number, 100)
    if feet and inches >= 12:
        return ""
    return str(round((feet * 12 + inches) * _CM_PER_INCH))


def _weight(text: str, *, kilograms: bool) -> str:
    found = re.fullmatch(r"(\d+)\s*(LBS?|KG)?\.?", text.upper())
    if found is None:
        return ""
    metric = found[2] == "KG" if found[2] else kilograms
    return str(int(found[1]) if metric else round(int(found[1]) * _KG_PER_POUND))


def _postal_code(text: str) -> str:
    """Nine digits of the United States without their empty end; Canada's with a space in the middle."""
    bare = re.sub(r"[\s-]", "", text).upper()
    if re.fullmatch(r"\d{9}", bare):
        return bare[:5] if bare.endswith("0000") else f"{bare[:5]}-{bare[5:]}"
    if re.fullmatch(r"[A-Z]\d[A-Z]\d[A-Z]\d", bare):
        return f"{bare[:3]} {bare[3:]}"
    return bare


def _flag(text: str) -> str:
    if text.upper() in _YES:
        return "yes"
    return "no" if text.upper() in _NO else ""


_PLAIN: Mapping[Kind, Callable[[str], str]] = {
    Kind.TEXT: str,
    Kind.DATE: _date,
    Kind.SEX: lambda text: _SEXES.get(text.upper(), ""),
    Kind.NUMBER: lambda text: re.sub(r"[^A-Za-z0-9*]", "", text),
    Kind.POSTAL_CODE: _postal_code,
    Kind.COUNTRY: lambda text: text.upper() if text.upper() in iso3166.countries_by_alpha3 else "",
    Kind.FLAG: _flag,
    Kind.TRUNCATION: lambda text: _TRUNCATIONS.get(text.upper(), ""),
    Kind.FULL_NAME: lambda text: text.split(",")[0].strip(),
    Kind.GIVEN_NAMES: lambda text: " ".join(part for part in re.split(r"[,\s]+", text) if part),
}
"""How the kinds are written that need to know nothing else."""
