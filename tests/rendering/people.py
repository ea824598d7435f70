"""Made-up people and what their documents say. Nobody here exists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

_STEMS = (
    "ALDER", "BRIN", "CORVA", "DUNMO", "ESTRA", "FALKEN", "GRIMA", "HOLVA", "IVER", "JORUN", "KESTRE",
    "LORIM", "MARVE", "NORDA", "OSKA", "PELLA", "QUINTA", "ROSKA", "SELVA", "TORVA", "ULME", "VARGA",
    "WESTRI", "YARRO", "ZELMA",
)  # fmt: skip
_ENDINGS = (
    "SEN", "LIN", "WICK", "DOTTI", "RUM", "VIK", "NESS", "TANO", "BERG", "KOV", "", "SKA", "QUEL", "FIZ",
    "X",
)  # fmt: skip
_GIVEN = (
    "ANNIKA", "BORIN", "CELESTE", "DARIAN", "ELOWEN", "FABIO", "GRETA", "HENDRIK", "ISOLDE", "JOREL",
    "KAIA", "LUCAN", "MIREI", "NILO", "ODETTE", "PIRRO", "QUILLA", "RUNE", "SABINE", "TOVE", "ULRIK",
    "VESNA", "WIDO", "XENIA", "YORICK", "ZOFIA",
)  # fmt: skip
_STATES = (
    "UTO", "UTO", "UTO", "AUT", "BRA", "CAN", "CHE", "D", "ESP", "FIN", "GRC", "JPN", "KEN", "NZL", "PHL",
    "POL", "ROU", "SVN", "USA", "XXA", "ZAF",
)  # fmt: skip
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Person:
    """One holder and the data of one document, as the visual zone would print it."""

    surname: str
    given_names: str
    """Words parted by single spaces; may be empty."""
    nationality: str
    """As a document codes it: `D` for Germany, else three letters."""
    issuer: str
    birth_date: date
    sex: str
    """`F`, `M` or `X`."""
    number: str
    """1 to 9 capital letters and digits."""
    expiry_date: date
    optional_data: str = ""


def random_person(random: Random, today: date) -> Person:
    """A person between 1 and 95 years old, whose document ends within ten years of `today`."""
    state = random.choice(_STATES)
    letters = random.choice((0, 1, 2))
    digits = random.choice((6, 7)) if letters else random.choice((7, 8, 9))
    number = "".join(random.choices(_ALPHANUMERIC[:26], k=letters)) + "".join(
        random.choices("0123456789", k=digits)
    )
    return Person(
        surname=" ".join(_surname(random) for _ in range(random.choice((1, 1, 1, 2)))),
        given_names=" ".join(random.sample(_GIVEN, random.choice((1, 1, 2, 2, 3)))),
        nationality=state,
        issuer=state if len(state) < 3 or not state.startswith("X") else "UTO",
        birth_date=today - timedelta(days=random.randint(400, 34_000)),
        sex=random.choice("FMFMFMX"),
        number=number,
        expiry_date=today + timedelta(days=random.randint(-1500, 3650)),
        optional_data=_pick(random, _ALPHANUMERIC, random.choice((0, 0, 7))),
    )


def _pick(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choices(alphabet, k=count))


def _surname(random: Random) -> str:
    return random.choice(_STEMS) + random.choice(_ENDINGS)
