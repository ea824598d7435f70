"""Amounts of money and quantities in lines of text, with what recognisers make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_AMOUNT = re.compile(
    r"(?<![\w/.:-])(?P<before>[-−(]\s?)?"
    r"(?P<sign>RM|MYR|USD|EUR|PHP|Php|SGD|GBP|S\$|[$€£₱¥])?\s?(?P<minus>[-−])?\s?"
    r"(?P<whole>[\dOoIl]{1,3}(?:[,.' ][\dO]{3})+|[\dOo][\dOo]{0,7}|)"
    r"(?P<point>\s?[.,]\s?|\s)(?P<cents>[\dOo]{2})(?![\dO%/:])(?P<after>\s?[)-])?"
)
_DIGITS = str.maketrans("OoIl−", "0011-")
_PERCENT = re.compile(r"\d+(?:[.,]\d+)?\s?[%&]")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in a line."""

    value: Decimal
    start: int
    end: int
    """Positions in the line; `end` exclusive."""
    exact: bool
    """Whether it stands there so; False where its point had to be guessed."""

    @property
    def text(self) -> str:
        """The value with a point and its places."""
        return f"{self.value:.2f}"


def amounts_of(text: str) -> Iterator[Amount]:
    """Every amount with two decimal places, from left to right."""
    clean = _PERCENT.sub(lambda found: " " * len(found[0]), text)
    for found in _AMOUNT.finditer(clean):
        whole, cents = found["whole"].translate(_DIGITS), found["cents"].translate(_DIGITS)
        exact = bool(found["point"].strip())
        if not exact and (not whole or len(clean.strip()) != len(found[0].strip())):
            continue  # two numbers side by side, not a lost point
        if not whole and not found["point"].strip().startswith((".", ",")):
            continue
        digits = re.sub(r"\D", "", whole) or "0"
        value = Decimal(f"{digits}.{cents}")
        brackets = bool(
            found["before"] and "(" in found["before"] and found["after"] and ")" in found["after"]
        )
        trailing = bool(found["after"] and "-" in found["after"])
        dash = bool(found["minus"]) or bool(found["before"] and "(" not in found["before"])
        negative = (dash or brackets or trailing) and value != 0
        yield Amount(-value if negative else value, found.start(), found.end(), exact)


def last_amount(text: str) -> Amount | None:
    """The rightmost amount of a line; None where it has none."""
    found = list(amounts_of(text))
    return found[-1] if found else None
