"""Which boxes of two frames are near enough to be one face's."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, inf, sqrt

from vidence_server.vision.faces.face import Box

_MOST_GROWTH = 2.0
"""A face does not become twice as large, or half as large, between two frames."""


def shift(one: Box, other: Box) -> float:
    """Distance of the centres in the mean size of both; infinite where the sizes do not fit."""
    sizes = sqrt(one.area), sqrt(other.area)
    if min(sizes) <= 0 or max(sizes) > _MOST_GROWTH * min(sizes):
        return inf
    distance = hypot(one.centre.x - other.centre.x, one.centre.y - other.centre.y)
    return 2 * distance / (sizes[0] + sizes[1])


def nearest_pairs(boxes: Sequence[Box], others: Sequence[Box], max_shift: float) -> list[tuple[int, int]]:
    """Pairs of indices, the nearest first, each box in one pair at most.

    Args:
        boxes: Of one frame.
        others: Of another.
        max_shift: Of `shift`, at most.
    """
    near = sorted(
        (distance, index, other)
        for index, box in enumerate(boxes)
        for other, before in enumerate(others)
        if (distance := shift(box, before)) <= max_shift
    )
    pairs: list[tuple[int, int]] = []
    used: tuple[set[int], set[int]] = set(), set()
    for _, index, other in near:
        if index not in used[0] and other not in used[1]:
            used[0].add(index)
            used[1].add(other)
            pairs.append((index, other))
    return pairs
