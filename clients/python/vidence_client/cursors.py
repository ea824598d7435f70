"""Cursors: names of places in logs. Stored and passed as they are; those of one log have an order."""

from __future__ import annotations

import re

_CURSOR = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})")


def is_after(one: str, other: str) -> bool:
    """Tells whether one cursor is behind another in the same log.

    Raises:
        ValueError: They belong to different logs, or one is no cursor.
    """
    first, second = _CURSOR.fullmatch(one), _CURSOR.fullmatch(other)
    if first is None or second is None or first[1] != second[1]:
        raise ValueError("these are not two cursors of one log")
    return (
        first.groups() > second.groups()
    )  # digits of fixed width: the texts stand in the order of the places


def is_of_one_history(one: str, other: str) -> bool:
    """Tells whether two cursors are of the same epoch of the same log: nothing was lost in between.

    Raises:
        ValueError: One is no cursor.
    """
    first, second = _CURSOR.fullmatch(one), _CURSOR.fullmatch(other)
    if first is None or second is None:
        raise ValueError("these are not two cursors")
    return first.groups()[:2] == second.groups()[:2]
