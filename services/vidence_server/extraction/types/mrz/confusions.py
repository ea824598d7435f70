"""Characters that recognisers take for each other in OCR-B."""

from __future__ import annotations

from collections.abc import Mapping

DIGIT_FOR_LETTER: Mapping[str, str] = {
    "O": "0", "Q": "0", "D": "0", "U": "0", "I": "1", "L": "1", "J": "1", "Z": "2", "A": "4", "S": "5",
    "G": "6", "T": "7", "B": "8",
}  # fmt: skip
"""The digit that a letter stands for where only a digit can be."""

LETTER_FOR_DIGIT: Mapping[str, str] = {"0": "O", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
"""The letter that a digit stands for where only a letter can be."""

ALIKE: Mapping[str, str] = {
    "0": "OD", "O": "0", "D": "0", "Q": "0", "1": "IL", "I": "1", "L": "1", "2": "Z", "Z": "2", "5": "S",
    "S": "5", "6": "G", "G": "6", "8": "B", "B": "8",
}  # fmt: skip
"""What a character may be instead where letters and digits are both possible."""

USUAL = frozenset({("0", "O"), ("O", "0"), ("1", "I"), ("I", "1")})
"""(read, meant): so alike in OCR-B that recognisers are wrong about them and sure of it."""

LIKE_FILLER = frozenset("KCSXLE")
"""Letters that a filler `<` is read as."""


def as_digits(text: str) -> str:
    """`text` with each letter that resembles a digit replaced by it."""
    return "".join(DIGIT_FOR_LETTER.get(char, char) for char in text)


def as_letters(text: str) -> str:
    """`text` with each digit that resembles a letter replaced by it."""
    return "".join(LETTER_FOR_DIGIT.get(char, char) for char in text)
