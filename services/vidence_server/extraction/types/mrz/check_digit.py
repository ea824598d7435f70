"""Check digits: weights 7, 3, 1 repeated, sum modulo 10 (ICAO Doc 9303-3, section 4.9)."""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS = (7, 3, 1)

CHARACTER_VALUES: Mapping[str, int] = {
    **{str(digit): digit for digit in range(10)},
    **{chr(ord("A") + place): 10 + place for place in range(26)},
    "<": 0,
}
"""The whole alphabet of a machine readable zone and what each character counts."""


def check_digit(text: str) -> str:
    """The digit that protects `text`; raises KeyError for a character outside the alphabet.

    Characters whose values differ by a multiple of ten protect each other: `<`, `0`, `A`, `K` and `U` are
    one such group, `6`, `G` and `Q` another. No check digit can tell them apart.
    """
    return str(sum(CHARACTER_VALUES[char] * WEIGHTS[place % 3] for place, char in enumerate(text)) % 10)
