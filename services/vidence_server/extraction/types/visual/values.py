"""Values as people read them, normalised by the field they belong to."""

from __future__ import annotations

import re
from datetime import date

import iso3166

from vidence_server.extraction.domain.document import NOT_CHECKED, Validation, Verdict
from vidence_server.extraction.types.visual.labels import plain
from vidence_server.extraction.types.written_dates import dates_of

DNI_RULE = "es.dni_letter"
_DNI = re.compile(r"([XYZ]?)(\d{7,8})([A-Z])")
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_NIE_DIGIT = {"": "", "X": "0", "Y": "1", "Z": "2"}
_SEXES = {
    "m": "M", "male": "M", "lalaki": "M", "hombre": "M", "masculino": "M", "varon": "M", "h": "M",
    "f": "F", "female": "F", "babae": "F", "mujer": "F", "femenino": "F", "x": "X",
}  # fmt: skip
_CITIZENS = {
    "filipino": "PHL", "filipina": "PHL", "pilipino": "PHL", "american": "USA", "estadounidense": "USA",
    "unitedstatesofamerica": "USA", "spanish": "ESP", "espanola": "ESP", "espanol": "ESP", "british": "GBR",
    "britishcitizen": "GBR", "canadian": "CAN", "german": "DEU", "deutsch": "DEU", "french": "FRA",
    "francaise": "FRA", "utopian": "UTO",
}  # fmt: skip
_COUNTRIES = {plain(country.name): country.alpha3 for country in iso3166.countries}
_YEARS_AHEAD = {"person.birth_date": 0, "document.issue_date": 1, "document.expiry_date": 60}
"""So many years after today's the year of a day may be: 27.03.27 is a birth of 1927 in 2026."""
_EARLIEST_BIRTH = 1900
DATES = frozenset(_YEARS_AHEAD)


def normalised(key: str, raw: str, today: date, *, months_first: bool) -> str:
    """The value as its key's format says; empty where the text cannot be one.

    Args:
        key: of the field.
        raw: as it was read.
        today: what two-digit years and the plausible are judged by.
        months_first: whether the document writes 08/12 for the twelfth of August.
    """
    text = " ".join(raw.split()).strip(" :.,-")
    if key in DATES:
        return _written_date(text, today.year + _YEARS_AHEAD[key], months_first=months_first)
    if key == "person.sex":
        words = [plain(word) for word in re.split(r"[\s/]+", text)]
        return next((_SEXES[word] for word in words if word in _SEXES), "")
    if key == "person.nationality":
        return _country(text)
    if key == "document.number":
        return _number(text)
    return text if any(char.isalpha() for char in text) else ""


def _written_date(text: str, last_year: int, *, months_first: bool) -> str:
    """ISO 8601 of the first day in a text; empty where there is none that can be.

    Args:
        text: figures or the month's name; bilingual months as `12 AGO/AUG 1974` too.
        last_year: in which the day can be; two digits are the latest year up to it.
        months_first: which of two possible days is meant.
    """
    single = re.sub(r"([A-Za-z]{3,})\s*/\s*[A-Za-z]{3,}", r"\1", text)
    spaced = re.sub(r"\b(\d{2}) (\d{2}) (\d{4})\b", r"\1/\2/\3", single)
    before = date(last_year - 1, 12, 31)  # `dates_of` gives days up to the year after it
    found = next(dates_of(spaced, before, earliest=_EARLIEST_BIRTH), None)
    if found is None:
        return ""
    day = found.other if months_first and found.other else found.day
    return day.isoformat()


def _country(text: str) -> str:
    bare = plain(text)
    if bare.upper() in iso3166.countries_by_alpha3 or bare == "uto":
        return bare.upper()
    return _CITIZENS.get(bare) or _COUNTRIES.get(bare, "")


def _number(text: str) -> str:
    """Letters and digits; a number needs some digits, whatever words stand beside it."""
    pieces = [re.sub(r"[^A-Za-z0-9]", "", piece) for piece in text.split()]
    kept = [piece for piece in pieces if any(char.isdigit() for char in piece) or len(piece) == 1]
    number = "".join(kept).upper()
    return number if sum(char.isdigit() for char in number) >= 4 else ""


def checked(key: str, value: str) -> Validation:
    """What a rule of some country says about a value."""
    found = _DNI.fullmatch(value) if key == "document.number" else None
    if found is None:
        return NOT_CHECKED
    expected = _DNI_LETTERS[int(_NIE_DIGIT[found[1]] + found[2]) % 23]
    if expected == found[3]:
        return Validation(Verdict.VALID, DNI_RULE)
    # other countries have numbers of this shape too: a wrong letter contradicts nothing
    return NOT_CHECKED
