"""What validators find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A guarantee that a record breaks.

    Attributes:
        validator: Name of the guarantee.
        message: What is wrong.
        position: Index of the message in the record, from 0; the record's length where its end is missing.
    """

    validator: str
    message: str
    position: int
