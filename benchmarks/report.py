"""Tables in Markdown, and floors that a result must reach."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure that must be reached; NaN reaches nothing."""

    name: str
    value: float
    limit: float
    at_most: bool = False
    """Whether `limit` is the most allowed instead of the least."""

    @property
    def reached(self) -> bool:
        """Whether the value is on the right side of the limit; being equal to it is enough."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        return (
            f"{'PASS' if self.reached else 'FAIL'}  {self.name}: {self.value:.4g} ({sign} {self.limit:.4g})"
        )


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table with columns as wide as their widest cell; the first is text, the others numbers."""
    grid = [list(head), *(list(row) for row in body)]
    widths = [max(3, *(len(row[column]) for row in grid)) for column in range(len(head))]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    lines = [
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in grid
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def bullets(facts: Mapping[str, str]) -> str:
    """Facts about a run as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def floor_block(floors: Iterable[Floor]) -> str:
    """Floors one by line, as Markdown shows them."""
    return "\n".join(map(str, floors)).join(("```\n", "\n```"))


def publish(
    folder: Path, name: str, parts: Iterable[str], figures: Mapping[str, Any], floors: Sequence[Floor]
) -> bool:
    """Writes `<name>.md` and `<name>.json`, prints the former, and tells whether every floor is reached.

    Args:
        folder: Of the results; made where it is missing.
        name: Of the files.
        parts: Of the text, with an empty line between them.
        figures: For programs; the floors are added.
        floors: What must hold.
    """
    text = "\n\n".join(parts)
    told = {
        floor.name: {"value": None if isnan(floor.value) else floor.value, "reached": floor.reached}
        for floor in floors
    }
    folder.mkdir(parents=True, exist_ok=True)
    everything = {**figures, "floors": told}
    figured = json.dumps(_without_nan(everything), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / f"{name}.json").write_text(figured + "\n")
    (folder / f"{name}.md").write_text(text + "\n")
    print(f"\n{text}\n\nWritten to {folder}/{name}.md and {name}.json")
    return all(floor.reached for floor in floors)


def _without_nan(figures: Any) -> Any:
    """The figures with null for those that there are none of: JSON has no NaN."""
    if isinstance(figures, Mapping):
        return {name: _without_nan(figure) for name, figure in figures.items()}
    if isinstance(figures, list | tuple):
        return [_without_nan(figure) for figure in figures]
    return None if isinstance(figures, float) and isnan(figures) else figures
