"""What a file itself says is written on its page: characters with their places, put into lines that are seen.

A layer is no proof: it may be empty, of another page, or made by a poor reader and never drawn. So only what
is seen on the drawn page gets text from it, and whoever uses it compares some lines with what is drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import CharacterReading, TextLine, TextRegion

CONFIDENCE = 0.99
"""Of text out of a layer whose checked lines are what is drawn."""
_LEAST_ALIKE = 85.0
"""Likeness (0–100) that each checked line needs."""
_MEAN_ALIKE = 95.0
"""And their mean."""
_GAP = 0.28
"""Width of a gap between characters, in parts of the line's height, that is a space."""
_MIDDLE = 0.3
"""How far from a line's middle, in parts of its height, the middle of its characters may be."""


@dataclass(frozen=True, slots=True, eq=False)
class TextLayer:
    """The characters of a page, in the file's order; white space only as what stands before a character."""

    characters: str
    """One per row of the arrays; U+FFFD where the file does not say which."""
    centres: npt.NDArray[np.float32]
    """(N, 2), px of the drawn page."""
    widths: npt.NDArray[np.float32]
    """(N,), px."""
    after_space: npt.NDArray[np.bool_]
    """(N,): whether the file has white space before."""

    def lines(self, regions: Sequence[TextRegion]) -> dict[int, TextLine]:
        """The text of each region that has some, by the region's index."""
        if not self.characters:
            return {}
        inside = np.full(len(self.characters), -1)
        nearest = np.full(len(self.characters), _MIDDLE)
        along = np.zeros(len(self.characters))
        for index, region in enumerate(regions):
            u, v = _in_line(region.quad, self.centres)
            off = np.abs(v - 0.5)
            better = (u > -0.01) & (u < 1.01) & (off < nearest)
            inside[better], nearest[better], along[better] = index, off[better], u[better]
        found = {}
        for index in sorted(set(inside.tolist()) - {-1}):
            members = np.flatnonzero(inside == index)
            order = members[np.argsort(along[members], kind="stable")]
            found[index] = self._line(index, regions[index].quad, order, along)
        return found

    def _line(
        self, index: int, quad: Quad, order: npt.NDArray[np.intp], along: npt.NDArray[np.float64]
    ) -> TextLine:
        """The characters at some places of the layer, from left to right."""
        readings = [self._character(order[0], along)]
        for before, place in pairwise(order.tolist()):
            step = (along[place] - along[before]) * quad.width
            gap = step - (self.widths[before] + self.widths[place]) / 2
            if gap > _GAP * quad.height or (self.after_space[place] and place > before):
                middle = (along[before] + along[place]) / 2
                readings.append(CharacterReading(" ", CONFIDENCE, min(1.0, max(0.0, float(middle)))))
            readings.append(self._character(place, along))
        text = "".join(reading.text for reading in readings)
        return TextLine(index, text, CONFIDENCE, quad, tuple(readings))

    def _character(self, place: int, along: npt.NDArray[np.float64]) -> CharacterReading:
        return CharacterReading(self.characters[place], CONFIDENCE, min(1.0, max(0.0, float(along[place]))))


def to_check(lines: dict[int, TextLine], known: Sequence[int], count: int) -> list[int]:
    """Which lines to compare with what is drawn: some that are read already, others spread over the page."""
    told = [index for index, line in lines.items() if len(_plain(line.text)) > 2]
    first = [index for index in known if index in told][: count // 2]
    rest = [index for index in told if index not in first]
    wanted = count - len(first)
    steps = (
        {round(place * (len(rest) - 1) / max(1, wanted - 1)) for place in range(wanted)} if rest else set()
    )
    return [*first, *(rest[place] for place in sorted(steps))]


def agrees(told: Sequence[str], drawn: Sequence[str]) -> bool:
    """Whether lines of a layer are what stands on the page, but for misread letters; no digit may differ."""
    if any(_digits(one) != _digits(other) for one, other in zip(told, drawn, strict=True)):
        return False
    alike = [fuzz.ratio(_plain(one), _plain(other)) for one, other in zip(told, drawn, strict=True)]
    return bool(alike) and min(alike) >= _LEAST_ALIKE and sum(alike) / len(alike) >= _MEAN_ALIKE


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _plain(text: str) -> str:
    """Without what print and file may differ in: white space, ligatures, small and capital letters."""
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _in_line(
    quad: Quad, points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Places of points (N, 2) in a line: 0–1 along it, and 0–1 down across it."""
    origin = np.array((quad.top_left.x, quad.top_left.y))
    right = np.array((quad.top_right.x, quad.top_right.y)) - origin
    down = np.array((quad.bottom_left.x, quad.bottom_left.y)) - origin
    frame = np.column_stack([right, down])
    if abs(float(np.linalg.det(frame))) < 1e-6:
        nowhere = np.full(len(points), 2.0)
        return nowhere, nowhere
    placed = (points - origin) @ np.linalg.inv(frame).T
    return placed[:, 0], placed[:, 1]
