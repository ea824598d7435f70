"""Machine readable zones of made-up people, written independently of the reader that is tested."""

from __future__ import annotations

from datetime import date

from rendering.people import Person

FORMATS = ("TD1", "TD2", "TD3", "MRV-A", "MRV-B")
DOCUMENT_TYPE = {"TD1": "id_card", "TD2": "id_card", "TD3": "passport", "MRV-A": "visa", "MRV-B": "visa"}
_CODE = {"TD1": "I", "TD2": "I", "TD3": "P", "MRV-A": "V", "MRV-B": "V"}
_LENGTH = {"TD1": 30, "TD2": 36, "TD3": 44, "MRV-A": 44, "MRV-B": 36}
_OPTIONAL = {"TD1": 15, "TD2": 7, "TD3": 14, "MRV-A": 16, "MRV-B": 8}


def digit(text: str) -> str:
    """Check digit: 7, 3, 1 over 0–9, A = 10 … Z = 35, filler 0."""
    total = 0
    for index, char in enumerate(text):
        value = 0 if char == "<" else int(char, 36)
        total += value * (7, 3, 1)[index % 3]
    return str(total % 10)


def zone_lines(person: Person, layout: str) -> tuple[str, ...]:
    """The lines of the zone in one of `FORMATS`."""
    if layout == "TD1":
        return _card_lines(person)
    length = _LENGTH[layout]
    upper = _pad(f"{_CODE[layout]}<{_pad(person.issuer, 3)}{_names(person)}", length)
    number = _checked(_pad(person.number, 9))
    birth, expiry = _checked(_yymmdd(person.birth_date)), _checked(_yymmdd(person.expiry_date))
    optional = _pad(person.optional_data, _OPTIONAL[layout])
    sex = "<" if person.sex == "X" else person.sex
    lower = f"{number}{_pad(person.nationality, 3)}{birth}{sex}{expiry}"
    if layout == "TD3":
        optional += digit(optional) if optional.strip("<") else "<"
    lower += optional
    if layout in {"TD2", "TD3"}:
        lower += digit(number + birth + expiry + optional)
    return upper, lower


def true_fields(person: Person, layout: str) -> dict[str, str]:
    """The normalised values that a perfect reader gives, by field key."""
    name_room = _LENGTH[layout] - (0 if layout == "TD1" else 5)
    names = _pad(_names(person), name_room)
    surname, _, given = names.rstrip("<").partition("<<")
    return {
        "document.code": _CODE[layout],
        "document.issuer": {"D": "DEU"}.get(person.issuer, person.issuer),
        "document.number": person.number,
        "document.expiry_date": person.expiry_date.isoformat(),
        "document.optional_data": person.optional_data[: _OPTIONAL[layout]],
        "person.surname": surname.replace("<", " "),
        "person.given_names": given.replace("<", " ").strip(),
        "person.nationality": {"D": "DEU"}.get(person.nationality, person.nationality),
        "person.birth_date": person.birth_date.isoformat(),
        "person.sex": person.sex,
    }


def _card_lines(person: Person) -> tuple[str, str, str]:
    number = _checked(_pad(person.number, 9))
    optional = _pad(person.optional_data, _OPTIONAL["TD1"])
    birth, expiry = _checked(_yymmdd(person.birth_date)), _checked(_yymmdd(person.expiry_date))
    sex = "<" if person.sex == "X" else person.sex
    second = "<" * 11
    composite = digit(number + optional + birth + expiry + second)
    return (
        f"I<{_pad(person.issuer, 3)}{number}{optional}",
        f"{birth}{sex}{expiry}{_pad(person.nationality, 3)}{second}{composite}",
        _pad(_names(person), 30),
    )


def _names(person: Person) -> str:
    surname, given = person.surname.replace(" ", "<"), person.given_names.replace(" ", "<")
    return f"{surname}<<{given}" if given else surname


def _pad(text: str, length: int) -> str:
    return text[:length].ljust(length, "<")


def _checked(text: str) -> str:
    return text + digit(text)


def _yymmdd(day: date) -> str:
    return day.strftime("%y%m%d")
