"""Finding the zone among rows: which format it has, and which row is which line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidence_server.extraction.types.mrz.fitting import FittedLine, fit
from vidence_server.extraction.types.mrz.formats import LineLayout, MrzFormat
from vidence_server.extraction.types.mrz.rows import Row, distance_down
from vidence_server.extraction.types.mrz.score import LEAST_SCORE, PROVEN_SCORE, STRONG_SCORE

MOST_ROWS = 10
"""Rows kept for the search, the best-looking ones; a zone has three at most."""
_NEXT_ROW = 4.0  # heights: lines of a zone follow each other closer than this
_NEIGHBOUR = 0.25  # points for a line right below another
_LEAST_WIDTH = 0.8  # of the widest row's
_JOINT_SLACK = 5  # characters by which two rows read as one may miss their length


@dataclass(frozen=True, slots=True)
class Zone:
    """Rows taken for the lines of one format."""

    mrz_format: MrzFormat
    lines: Mapping[int, FittedLine]
    """By line number, from 1; lines that were not found are absent."""
    score: float

    @property
    def strong(self) -> bool:
        """Whether at least one line is beyond doubt by itself."""
        return any(
            line.score >= (STRONG_SCORE if "<" in line.row.text else PROVEN_SCORE)
            for line in self.lines.values()
        )

    @property
    def complete(self) -> bool:
        """Whether every line has every character, and is printed as wide as the widest.

        A row that is too narrow is a piece, whose rest may be in another region, though fillers fill it up.
        """
        if len(self.lines) < len(self.mrz_format.lines):
            return False
        widest = max(line.row.quad.width for line in self.lines.values())
        return all(
            line.complete and line.row.quad.width >= _LEAST_WIDTH * widest for line in self.lines.values()
        )


class ZoneFinder:
    """Finds the best zone among rows; remembers what it made of each row, as rows come one by one."""

    def __init__(self, formats: Sequence[MrzFormat]) -> None:
        self._formats = formats
        self._fits: dict[tuple[tuple[int, ...], str, str, int], FittedLine | None] = {}

    def zones(self, rows: Sequence[Row]) -> list[Zone]:
        """The best zone of each format that fits anything, best first."""
        promising = sorted(rows, key=_promise, reverse=True)[:MOST_ROWS]
        kept = [part for row in rows if row in promising for part in self._parts(row)]
        found = [self._best(mrz_format, kept) for mrz_format in self._formats]
        return sorted((zone for zone in found if zone and zone.strong), key=lambda zone: -zone.score)

    def _best(self, mrz_format: MrzFormat, rows: Sequence[Row]) -> Zone | None:
        candidates = [self._fitting(rows, layout, mrz_format) for layout in mrz_format.lines]
        best: Zone | None = None
        for lines in _assignments(candidates):
            score = _score(lines)
            if lines and (best is None or score > best.score):
                best = Zone(mrz_format, {line.layout.number: line for line in lines}, score)
        return best

    def _fitting(self, rows: Sequence[Row], layout: LineLayout, mrz_format: MrzFormat) -> list[FittedLine]:
        fitted = (self._fit(row, layout, mrz_format) for row in rows)
        return [line for line in fitted if line is not None and line.score >= LEAST_SCORE]

    def _fit(self, row: Row, layout: LineLayout, mrz_format: MrzFormat) -> FittedLine | None:
        key = (row.indexes, row.text, mrz_format.name, layout.number)
        if key not in self._fits:
            self._fits[key] = fit(row, layout, mrz_format)
        return self._fits[key]

    def _parts(self, row: Row) -> list[Row]:
        """The row itself, or the two rows that were read as one."""
        count = len(row.glyphs)
        for mrz_format in self._formats:
            if abs(count - 2 * mrz_format.length) <= _JOINT_SLACK and len(row.indexes) == 1:
                upper, lower = mrz_format.lines[:2]
                splits = range(mrz_format.length - _JOINT_SLACK, mrz_format.length + _JOINT_SLACK + 1)
                scored = [
                    (one.score + two.score, at)
                    for at in splits
                    if (one := fit(_cut(row, 0, at), upper, mrz_format))
                    and (two := fit(_cut(row, at, count), lower, mrz_format))
                ]
                if scored and max(scored)[0] >= 2 * STRONG_SCORE:
                    at = max(scored)[1]
                    return [_cut(row, 0, at), _cut(row, at, count)]
        return [row]


def _promise(row: Row) -> float:
    """How much a row looks like a zone's: long, with fillers and digits."""
    text = row.text
    return len(text) + 4 * min(8, text.count("<")) + sum(char.isdigit() for char in text)


def _cut(row: Row, start: int, end: int) -> Row:
    return Row(row.glyphs[start:end], row.quad, row.indexes)


def _assignments(candidates: Sequence[Sequence[FittedLine]]) -> Iterator[tuple[FittedLine, ...]]:
    """Every choice of at most one row per line, rows in the order of the lines and close together."""
    if not candidates:
        yield ()
        return
    for rest in _assignments(candidates[1:]):
        yield rest
        for line in candidates[0]:
            if not rest or _follows(line, rest[0]):
                yield (line, *rest)


def _follows(upper: FittedLine, lower: FittedLine) -> bool:
    steps = lower.layout.number - upper.layout.number
    if upper.row.indexes == lower.row.indexes:
        return upper.row.text != lower.row.text and steps == 1  # one region held both
    height = (upper.row.quad.height + lower.row.quad.height) / 2
    return 0 < distance_down(upper.row.quad, lower.row.quad) <= _NEXT_ROW * height * steps


def _score(lines: Sequence[FittedLine]) -> float:
    neighbours = sum(lower.layout.number == upper.layout.number + 1 for upper, lower in pairwise(lines))
    return sum(line.score for line in lines) + _NEIGHBOUR * neighbours
