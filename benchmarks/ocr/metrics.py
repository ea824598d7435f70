"""How well lines were read, whatever their order and however they were cut into pieces.

`docs/benchmarks.md` states the formulas.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in px."""

_SAME_ROW = 0.5
"""Share of the lower height by which two boxes must overlap to stand in one row."""


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text and where it stands."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Counts that add up over pictures."""

    edits: int = 0
    """Characters to insert, delete or exchange."""
    characters: int = 0
    """Of the truth."""
    words_right: int = 0
    """Words that both have."""
    words_read: int = 0
    words_true: int = 0

    def __add__(self, other: Accuracy) -> Accuracy:
        return Accuracy(
            self.edits + other.edits,
            self.characters + other.characters,
            self.words_right + other.words_right,
            self.words_read + other.words_read,
            self.words_true + other.words_true,
        )

    @property
    def character_error_rate(self) -> float:
        """Edits per character of the truth; 0 is perfect, more than 1 is possible."""
        return self.edits / self.characters if self.characters else float(self.edits > 0)

    @property
    def word_f1(self) -> float:
        """Harmonic mean of precision and recall of words, 0–1."""
        both = self.words_read + self.words_true
        return 2 * self.words_right / both if both else 1.0


def accuracy(truth: Sequence[Line], read: Sequence[Line]) -> Accuracy:
    """Compares what was read on a picture with what it says."""
    edits = characters = 0
    for true_text, read_text in row_pairs(truth, read):
        counts = jiwer.process_characters(without_spaces(true_text), without_spaces(read_text))
        edits += counts.substitutions + counts.insertions + counts.deletions
        characters += counts.substitutions + counts.deletions + counts.hits
    true_words, read_words = words(truth), words(read)
    return Accuracy(
        edits, characters, (true_words & read_words).total(), read_words.total(), true_words.total()
    )


def row_pairs(truth: Sequence[Line], read: Sequence[Line]) -> list[tuple[str, str]]:
    """What each row of the picture says and what was read there.

    A row is what stands side by side in the truth. A line that was read belongs to the row that its box
    covers most of; lines that cover no row come as a pair with nothing on the true side.
    """
    true_rows = rows(truth)
    read_rows: list[list[Line]] = [[] for _ in true_rows]
    strays = []
    for line in read:
        covered = [sum(_common_area(line.box, true.box) for true in row) for row in true_rows]
        most = max(covered, default=0.0)
        if most > 0:
            read_rows[covered.index(most)].append(line)
        else:
            strays.append(("", line.text))
    pairs = [(_joined(true), _joined(found)) for true, found in zip(true_rows, read_rows, strict=True)]
    return pairs + strays


def rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines grouped by height: each shares half of the lower height with the line above it in the sort."""
    found: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.box[1] + line.box[3]) / 2):
        if found and _side_by_side(found[-1][-1].box, line.box):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def normalised(text: str) -> str:
    """NFKC and upper case: the truth of the receipts has no lower case."""
    return unicodedata.normalize("NFKC", text).upper()


def without_spaces(text: str) -> str:
    """Normalised text without white space: nobody knows whether it belongs between joined pieces."""
    return "".join(normalised(text).split())


def words(lines: Sequence[Line]) -> Counter[str]:
    """The words of a picture and how often each occurs."""
    return Counter(word for line in lines for word in normalised(line.text).split())


def _side_by_side(one: Box, other: Box) -> bool:
    down = min(one[3], other[3]) - max(one[1], other[1])
    across = min(one[2], other[2]) - max(one[0], other[0])
    lower = min(one[3] - one[1], other[3] - other[1])
    narrower = min(one[2] - one[0], other[2] - other[0])
    return down > _SAME_ROW * lower and across < _SAME_ROW * narrower


def _common_area(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _joined(lines: Sequence[Line]) -> str:
    return " ".join(line.text for line in sorted(lines, key=lambda line: line.box[0]))
