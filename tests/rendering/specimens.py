"""The standard's specimens, with misread characters and with check digits to match."""

from __future__ import annotations

from rendering.lines import with_alternatives, zone
from rendering.reading import Reading, read
from rendering.zones import digit
from vidence_server.extraction.domain.document import Validation, Verdict

UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
CARD = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
OWN, WHOLE = "icao9303.check_digit", "icao9303.composite_check_digit"
Doubts = dict[int, tuple[tuple[str, float], ...]]
"""What else a recogniser considered, by place in the line."""


def misread(text: str, changes: dict[int, str]) -> str:
    """`text` with other characters at some places."""
    return "".join(changes.get(place, char) for place, char in enumerate(text))


def with_composite(lower: str) -> str:
    """A lower line of TD3 with its composite digit."""
    return lower[:43] + digit(lower[:10] + lower[13:20] + lower[21:43])


def passport(lower: str, doubts: Doubts | None = None) -> Reading:
    """The reading of the passport's upper line and this lower one."""
    upper, told = zone((UPPER, lower))
    return read("passport", (upper, with_alternatives(told, doubts) if doubts else told))


def card(first: str, second: str) -> Reading:
    """A TD1 card with its composite digit."""
    covered = first[5:] + second[:7] + second[8:15] + second[18:29]
    return read("id_card", zone((first, second[:29] + digit(covered), CARD[2])))


def refused(expected: str, actual: str, rule: str = OWN) -> Validation:
    """What a check says that does not hold."""
    message = f"check digit is {actual}, the characters give {expected}"
    return Validation(Verdict.INVALID, rule, expected, actual, message)
