"""A receipt as rows: what stands side by side belongs together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from rapidfuzz import fuzz

from vidence_server.extraction.types.layout import Placed, line_height, place_lines, rows_of
from vidence_server.extraction.types.receipt.amounts import Amount, amounts_of
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine

_LIKENESS = 84.0
"""Likeness (0–100) from which words are taken for a label of five letters or more."""
_FUZZY_FROM = 5
_LEGIBLE = 0.6
"""Lines read less surely than this say nothing at the top of a receipt."""
_LETTERS = str.maketrans("01|5", "oils")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@dataclass(frozen=True, slots=True)
class LineAmount:
    """An amount and the line that it stands in."""

    amount: Amount
    placed: Placed[TextLine]

    @property
    def quad(self) -> Quad:
        """Where the amount itself stands."""
        line = self.placed.item
        length = max(1, len(line.text))
        return line.quad.part(self.amount.start / length, self.amount.end / length)

    @property
    def right(self) -> float:
        """Where it ends, in px along the writing."""
        width = self.placed.right - self.placed.left
        return self.placed.left + width * self.amount.end / max(1, len(self.placed.item.text))


class Row:
    """Lines that stand side by side."""

    def __init__(self, pieces: Sequence[Placed[TextLine]]) -> None:
        self.pieces = tuple(pieces)

    @cached_property
    def text(self) -> str:
        """All of it, pieces parted by a space."""
        return " ".join(piece.item.text.strip() for piece in self.pieces if piece.item.text.strip())

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its words in small letters; digits inside words read as the letters they resemble."""
        return words_of(self.text)

    @cached_property
    def amounts(self) -> tuple[LineAmount, ...]:
        """Amounts from left to right."""
        return tuple(
            LineAmount(amount, piece) for piece in self.pieces for amount in amounts_of(piece.item.text)
        )

    @property
    def confidence(self) -> float:
        """The least sure of its pieces, 0–1."""
        return min((piece.item.confidence for piece in self.pieces), default=0.0)

    @property
    def top(self) -> float:
        """Upper edge, px."""
        return min(piece.top for piece in self.pieces)

    @property
    def bottom(self) -> float:
        """Lower edge, px."""
        return max(piece.bottom for piece in self.pieces)

    @property
    def left(self) -> float:
        """Left edge, px."""
        return self.pieces[0].left

    @property
    def right(self) -> float:
        """Right edge, px."""
        return max(piece.right for piece in self.pieces)

    @property
    def height(self) -> float:
        """Median height of its pieces, px."""
        return line_height(self.pieces)

    @property
    def legible(self) -> bool:
        """Whether it is read surely enough to be something at the top of a receipt."""
        return self.confidence >= _LEGIBLE

    def says(self, phrase: str) -> bool:
        """Whether it holds a phrase, but for small misreadings."""
        return says(self.words, phrase)

    def says_any(self, phrases: Iterable[str]) -> bool:
        """Whether it holds one of some phrases."""
        return any(self.says(phrase) for phrase in phrases)

    def begins(self, phrases: Iterable[str]) -> bool:
        """Whether its first words are one of some phrases."""
        return any(says(self.words[: len(words_of(phrase))], phrase) for phrase in phrases)


def words_of(text: str) -> tuple[str, ...]:
    """Words in small letters; a number stays a number, other digits become letters."""
    found = _WORD.findall(text.casefold())
    return tuple(word if word.isdigit() else word.translate(_LETTERS) for word in found)


def says(words: Sequence[str], phrase: str) -> bool:
    """Whether words hold a phrase, but for small misreadings and lost spaces."""
    wanted = words_of(phrase)
    joined = "".join(wanted)
    for start in range(len(words)):
        for count in {len(wanted), max(1, len(wanted) - 1), 1}:
            window = "".join(words[start : start + count])
            if window == joined:
                return True
            near = len(joined) >= _FUZZY_FROM and abs(len(window) - len(joined)) <= len(joined) // 5
            if near and fuzz.ratio(window, joined) >= _LIKENESS:
                return True
    return False


class ReceiptPage:
    """All rows of a receipt, from top to bottom."""

    def __init__(self, lines: Sequence[TextLine]) -> None:
        placed = place_lines([line for line in lines if line.text.strip()])
        self.rows = tuple(Row(row) for row in rows_of(placed))
        self.left = min((row.left for row in self.rows), default=0.0)
        self.right = max((row.right for row in self.rows), default=0.0)

    @property
    def width(self) -> float:
        """Extent along the writing, px."""
        return max(1.0, self.right - self.left)

    def gaps(self) -> list[float]:
        """Free height between each row and the next, px."""
        return [below.top - above.bottom for above, below in pairwise(self.rows)]
