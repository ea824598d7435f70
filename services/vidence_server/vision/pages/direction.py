"""Whether text stands upright or on its head, told by what is read in a few of its lines.

A classifier of directions takes the fillers of machine readable zones for text on its head, so what counts is
how sure the recogniser is of each way. Zones tell it themselves: their `<` becomes `>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine, TextRegion

PROBES = 3
"""Lines that are asked first."""
MORE_PROBES = 5
"""Lines that are asked besides, where those leave a doubt."""
_WIDTH = 2.5
"""Width over height that a line needs to be asked."""
_BEYOND_DOUBT = 0.93
"""Mean confidence from which lines are upright: on their heads, lines in Latin script have 0.4 to 0.9."""
_LEAST_LINE = 0.8
"""Confidence that each of them needs for that."""
_LEGIBLE = 3
"""Characters from which a line counts."""
_LEAD = 0.05
"""By how much one way must lead over the other, in mean confidence."""


class Way(StrEnum):
    """How text stands."""

    UPRIGHT = "UPRIGHT"
    HEADS_DOWN = "HEADS_DOWN"
    UNSURE = "UNSURE"


def probes(regions: Sequence[TextRegion], order: Sequence[int]) -> list[int]:
    """Which lines to ask, by index: the first long ones of the order in which they are wanted anyway."""
    long = [index for index in order if regions[index].quad.width >= _WIDTH * regions[index].quad.height]
    return long[: PROBES + MORE_PROBES]


def heads_down(quad: Quad) -> Quad:
    """The same place, to be read from the other end."""
    return Quad(quad.bottom_right, quad.bottom_left, quad.top_left, quad.top_right)


def way_of(lines: Sequence[TextLine]) -> Way:
    """What lines tell that were read in one way; UNSURE: read them in the other way too."""
    fillers = sum(line.text.count("<<") - line.text.count(">>") for line in lines)
    if fillers:
        return Way.UPRIGHT if fillers > 0 else Way.HEADS_DOWN
    sure = [line.confidence for line in lines if len(line.text) >= _LEGIBLE]
    if len(sure) >= min(2, len(lines)) and sure and min(sure) >= _LEAST_LINE:
        mean = sum(sure) / len(sure)
        return Way.UPRIGHT if mean >= _BEYOND_DOUBT else Way.UNSURE
    return Way.UNSURE


def better_way(upright: Sequence[TextLine], turned: Sequence[TextLine]) -> Way:
    """Which of two ways of reading the same lines is the likelier; UNSURE where they are level."""
    one, other = _merit(upright), _merit(turned)
    if abs(one - other) < _LEAD:
        return Way.UNSURE
    return Way.UPRIGHT if one > other else Way.HEADS_DOWN


def _merit(lines: Sequence[TextLine]) -> float:
    """Mean confidence, by characters; lines that are too short have no say."""
    told = [line for line in lines if len(line.text) >= _LEGIBLE]
    characters = sum(len(line.text) for line in told)
    fillers = sum(line.text.count("<<") - line.text.count(">>") for line in lines)
    bonus = 0.2 if fillers > 0 else 0.0
    return bonus + (
        sum(line.confidence * len(line.text) for line in told) / characters if characters else 0.0
    )
