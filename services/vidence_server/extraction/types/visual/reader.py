"""Fields of the visual zone: each label's value stands behind it, beside it or below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from vidence_server.extraction.domain.document import ExtractedField, FieldSource
from vidence_server.extraction.types.layout import Placed, line_height, place_lines
from vidence_server.extraction.types.visual.date_order import month_first
from vidence_server.extraction.types.visual.labels import LABELS, FoundLabel, LabelSet
from vidence_server.extraction.types.visual.values import checked, normalised
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine

_BELOW = 2.6
"""A value stands at most so many line heights below its label."""
_BESIDE = 6.0
"""Or so many to the right of it."""
_MULTILINE = frozenset({"address.text"})
_MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class _Labelled:
    placed: Placed[TextLine]
    label: FoundLabel


class Normalise(Protocol):
    """As `values.normalised`."""

    def __call__(self, key: str, raw: str, today: date, *, months_first: bool) -> str:
        """The value in its format; empty where it cannot be one."""
        ...


@dataclass(frozen=True, slots=True)
class _Means:
    today: date
    normalise: Normalise
    months_first: bool

    def value(self, key: str, raw: str) -> str:
        return self.normalise(key, raw, self.today, months_first=self.months_first)


def visual_fields(
    lines: Sequence[TextLine], today: date, *, labels: LabelSet = LABELS, normalise: Normalise = normalised
) -> list[ExtractedField]:
    """The labelled values among the lines of a document, each key once: the surest reading.

    Lines of a machine readable zone must not be among them.

    Args:
        lines: what was read, in any order.
        today: what two-digit years are judged by.
        labels: those that count.
        normalise: gives a value its format.
    """
    means = _Means(today, normalise, month_first(line.text for line in lines))
    placed = place_lines([line for line in lines if line.text.strip()])
    labelled = [_Labelled(one, found) for one in placed if (found := labels.find(one.item.text)) is not None]
    taken = {id(one.placed) for one in labelled}
    free = [one for one in placed if id(one) not in taken]
    best: dict[str, ExtractedField] = {}
    for one in labelled:
        for field in _candidates(one, free, means):
            known = best.get(field.key)
            if known is None or field.confidence > known.confidence:
                best[field.key] = field
    return list(best.values())


def _candidates(one: _Labelled, free: Sequence[Placed[TextLine]], means: _Means) -> Iterable[ExtractedField]:
    """What the value may be: the rest of the label's line first, then what is below, then beside."""
    line, label = one.placed.item, one.label
    if label.value:
        quad = line.quad.part(label.value_start / len(line.text), 1.0)
        value = means.value(label.key, label.value)
        if value:
            yield _field(label.key, label.value, value, line.confidence, quad)
            return
    height = line_height([one.placed])
    for found in (_below(one.placed, free, height, label.key), _beside(one.placed, free, height)):
        if not found:
            continue
        raw = " ".join(value.item.text for value in found)
        value = means.value(label.key, raw)
        if value:
            confidence = min(value_line.item.confidence for value_line in found)
            yield _field(label.key, raw, value, confidence, found[0].item.quad)
            return


def _field(key: str, raw: str, value: str, confidence: float, quad: Quad) -> ExtractedField:
    return ExtractedField(key, 0, 1, raw, value, confidence, quad, FieldSource.VISUAL, checked(key, value))


def _below(
    label: Placed[TextLine], free: Sequence[Placed[TextLine]], height: float, key: str
) -> list[Placed[TextLine]]:
    """The nearest line that begins below the label, and for an address those below it."""
    found: list[Placed[TextLine]] = []
    above = label
    for line in sorted(free, key=lambda one: one.middle):
        near = 0 < line.middle - above.middle < _BELOW * max(height, above.height)
        aligned = (
            line.left < label.right
            and line.right > label.left
            and abs(line.left - label.left) < _BESIDE * height
        )
        if near and aligned and not line.shares_row(above):
            found.append(line)
            above = line
            if key not in _MULTILINE or len(found) == _MOST_LINES:
                break
    return found


def _beside(
    label: Placed[TextLine], free: Sequence[Placed[TextLine]], height: float
) -> list[Placed[TextLine]]:
    row = [
        one for one in free if one.shares_row(label) and -height < one.left - label.right < _BESIDE * height
    ]
    return [min(row, key=lambda one: one.left)] if row else []
