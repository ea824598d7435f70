"""The lines of a page, some of them out of the file's own text instead of its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vidence_server.vision.geometry import Quad
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.text import TextLine


class LayeredLines:
    """Like `PageLines`; lines that the file has text for are never read from the picture."""

    def __init__(self, drawn: PageLines, told: Mapping[int, TextLine]) -> None:
        """Lines that are read, and lines that are known, by the index of their region."""
        self._drawn = drawn
        self._told = told

    def want(self, order: Sequence[int]) -> None:
        """Says which regions are wanted from now on, in which order."""
        self._drawn.want([index for index in order if index not in self._told])

    async def line(self, index: int) -> TextLine:
        """The line of a region that is wanted; raises what reading it raised."""
        return self._told[index] if index in self._told else await self._drawn.line(index)

    def tells(self, quad: Quad) -> bool:
        """Whether what stands at a place comes from the file's text: by the line that shares most of it."""
        shared = max(
            ((_shared(line.quad, quad), index) for index, line in self._told.items()), default=(0.0, -1)
        )
        if not shared[0]:
            return False
        read = (_shared(line.quad, quad) for line in self._drawn.known_lines if line.index not in self._told)
        return shared[0] >= max(read, default=0.0)


def _shared(one: Quad, other: Quad) -> float:
    """Area in px² that the upright boxes around two quadrilaterals share."""
    left, top, right, bottom = _box(one)
    left_2, top_2, right_2, bottom_2 = _box(other)
    across, down = min(right, right_2) - max(left, left_2), min(bottom, bottom_2) - max(top, top_2)
    return max(0.0, across) * max(0.0, down)


def _box(quad: Quad) -> tuple[float, float, float, float]:
    xs, ys = [corner.x for corner in quad.corners], [corner.y for corner in quad.corners]
    return min(xs), min(ys), max(xs), max(ys)
