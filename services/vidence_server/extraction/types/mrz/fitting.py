"""Bringing a row to the length of a line: which fillers the recogniser dropped or doubled.

Runs of `<` are what recognisers miscount. A row that is too short or too long is tried with fillers added
or removed where the layout has room for them; check digits, states and digits in place decide. Nothing but
fillers is ever added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from vidence_server.extraction.types.mrz.formats import CharacterClass, Content, LineLayout, MrzFormat
from vidence_server.extraction.types.mrz.glyphs import Glyph
from vidence_server.extraction.types.mrz.rows import Row
from vidence_server.extraction.types.mrz.score import MISSING, line_score, valid_checks

_LEAST_SHARE = 0.5  # of the line's length: shorter rows are not tried
_MOST_EXTRA = 8  # characters over the line's length
_MOST_TRIMMED = 2  # stray characters at both ends together
_MOST_IN_SECOND_RUN = 2  # fillers changed in a second run
_PER_EDIT = 0.1  # a run of fillers made longer or shorter
_PER_INVENTED = 0.4  # fillers added where none was read
_PER_FILLER = 0.01
_IN_CODE = 0.4  # a filler added to the document code, or left out of it, makes codes out of names
_PER_TRIMMED = 1.2  # more than a check digit gains, which one in ten values does by chance
_PER_TRIMMED_FILLER = 0.3
_PER_MISSING = 0.02
_ANY_MISSING = 0.15
_RIGHT_LENGTH = 1.5  # a row of the right length laid out otherwise
_GOOD_NAME_LINE = 3.0
_MOST_DIGITS_IN_NAMES = 0.4
_LEAST_DIGITS_IN_DATES = 6  # two dates have fourteen digits, of which some may be read as letters
_RUN = re.compile("<+")

Plan: TypeAlias = tuple[int, ...]
"""For each position of the line the index of the row's glyph, or `FILLER` or `NOTHING`."""
FILLER = -1
"""A filler that was not read and is added."""
NOTHING = -2
"""Nothing was read here."""


@dataclass(frozen=True, slots=True)
class FittedLine:
    """A row laid out as a line of a format."""

    mrz_format: MrzFormat
    layout: LineLayout
    row: Row
    plan: Plan
    score: float
    """`line_score`, less what the changes cost."""

    @property
    def complete(self) -> bool:
        """Whether every position has a character."""
        return NOTHING not in self.plan

    @property
    def exact(self) -> bool:
        """Whether the row is taken as it stands."""
        return self.plan == tuple(range(len(self.row.glyphs)))

    @property
    def text(self) -> str:
        """One character per position, `?` where nothing was read."""
        return _laid_out(self.row.text, self.plan)

    def glyph(self, position: int) -> Glyph | None:
        """What was read at a position; None for an added filler and where nothing was read."""
        source = self.plan[position]
        return self.row.glyphs[source] if source >= 0 else None


def fit(row: Row, layout: LineLayout, mrz_format: MrzFormat) -> FittedLine | None:
    """The best layout of `row` as this line; None where its length rules it out.

    Where two layouts that read differently are equally good, the row is taken as it stands, cut off or left
    open at its end.
    """
    text = row.text
    if not _LEAST_SHARE * layout.length <= len(text) <= layout.length + _MOST_EXTRA or _unlike(text, layout):
        return None
    scores = _scores(text, _likely_plans(text, layout), layout, mrz_format)
    best = _best(scores)
    if not _beyond_doubt(_laid_out(text, best[0]), scores[best[0]], layout):
        scores |= _scores(text, _further_plans(text, layout), layout, mrz_format)
        best = _best(scores)
    if len({_laid_out(text, plan) for plan in best}) > 1:
        best = [_cut(tuple(range(len(text))), layout.length)]
    return FittedLine(mrz_format, layout, row, best[0], scores[best[0]])


def _scores(text: str, plans: Iterable[Plan], layout: LineLayout, mrz_format: MrzFormat) -> dict[Plan, float]:
    return {plan: line_score(_laid_out(text, plan), layout, mrz_format) - _cost(text, plan) for plan in plans}


def _best(scores: Mapping[Plan, float]) -> list[Plan]:
    highest = max(scores.values())
    return [plan for plan, score in scores.items() if score == highest]


def _unlike(text: str, layout: LineLayout) -> bool:
    """Whether too few or too many digits rule a row out at a glance."""
    digits = sum(char.isdigit() for char in text)
    if layout.ends_in_names:
        return digits > _MOST_DIGITS_IN_NAMES * len(text)
    dates = any(span.characters is CharacterClass.DIGIT for span in layout.spans)
    return dates and digits < _LEAST_DIGITS_IN_DATES


def _beyond_doubt(text: str, score: float, layout: LineLayout) -> bool:
    """Whether a row as laid out needs no other layout to be tried."""
    if MISSING in text:
        return False
    checked = sum(span.check is not None for span in layout.spans)
    return valid_checks(text, layout) == checked if checked else score >= _GOOD_NAME_LINE


def _laid_out(text: str, plan: Plan) -> str:
    return "".join(MISSING if at == NOTHING else "<" if at == FILLER else text[at] for at in plan)


def _cost(text: str, plan: Plan) -> float:
    """Points that a layout's changes cost: each further layout tried is a chance for a false proof."""
    kept = [at for at in plan if at >= 0]
    strays = text[: kept[0]] + text[kept[-1] + 1 :]
    lost = sum(_PER_TRIMMED_FILLER if char == "<" else _PER_TRIMMED for char in strays)
    removed = kept[-1] - kept[0] + 1 - len(kept)
    added = plan.count(FILLER)
    edits = sum(
        _PER_EDIT if before >= 0 and text[before] == "<" else _PER_INVENTED
        for before, at in pairwise((NOTHING, *plan))
        if at == FILLER != before
    )
    fillers = edits + _PER_EDIT * bool(removed) + _PER_FILLER * (added + removed)
    missing = plan.count(NOTHING)
    open_end = _PER_MISSING * missing + _ANY_MISSING * bool(missing)
    moved = len(text) == len(plan) and plan != tuple(range(len(text)))
    in_code = plan[0] >= 0 and plan[1] != plan[0] + 1
    return lost + fillers + open_end + _IN_CODE * in_code + _RIGHT_LENGTH * moved


def _cut(plan: Plan, length: int) -> Plan:
    """`plan` at exactly `length`: cut off, or left open, at its end."""
    return plan[:length] + (NOTHING,) * (length - len(plan))


def _likely_plans(text: str, layout: LineLayout) -> Iterator[Plan]:
    """The row as it stands, and with one run of fillers changed."""
    whole: Plan = tuple(range(len(text)))
    yield _cut(whole, layout.length)
    yield from _name_plans(text, whole, layout) if layout.ends_in_names else _one_run(text, whole, layout)


def _further_plans(text: str, layout: LineLayout) -> Iterator[Plan]:
    """Stray characters at the ends, two runs changed, a row cut off in front; some hundred at most."""
    count, length = len(text), layout.length
    whole: Plan = tuple(range(count))
    for left in range(_MOST_TRIMMED + 1):
        for right in range(_MOST_TRIMMED + 1 - left):
            base = whole[left : count - right]
            if layout.ends_in_names:
                yield from _name_plans(text, base, layout)
            else:
                yield from _one_run(text, base, layout)
    if not layout.ends_in_names:
        yield from _two_runs(text, whole, layout)
    if count < length:
        yield (NOTHING,) * (length - count) + whole


def _name_plans(text: str, base: Plan, layout: LineLayout) -> Iterator[Plan]:
    """Right of the names all is filler, so only the end and the code's own filler can be miscounted."""
    yield _filled(text, base, layout.length)
    if layout.first_filled:
        yield _filled(text, (base[0], FILLER, *base[1:]), layout.length)
        if text[base[1]] == "<":
            yield _filled(text, (base[0], *base[2:]), layout.length)


def _filled(text: str, plan: Plan, length: int) -> Plan:
    """Fillers added at the end; where no filler was read at the end, the rest is unknown."""
    if len(plan) >= length or text[plan[-1]] != "<":
        return _cut(plan, length)
    return plan + (FILLER,) * (length - len(plan))


def _one_run(text: str, base: Plan, layout: LineLayout) -> Iterator[Plan]:
    """Fillers added or removed in one run."""
    change = layout.length - len(base)
    if change == 0:
        yield base
        return
    for place in _places(text, base, layout, change):
        changed = _changed(text, base, place, change)
        if len(changed) == layout.length:
            yield changed


def _two_runs(text: str, base: Plan, layout: LineLayout) -> Iterator[Plan]:
    """Few fillers added or removed in one run, the rest in a later one."""
    for first in range(-_MOST_IN_SECOND_RUN, _MOST_IN_SECOND_RUN + 1):
        if first == 0:
            continue
        for place in _places(text, base, layout, first):
            once = _changed(text, base, place, first)
            if len(once) == len(base) + first:
                yield from (plan for plan in _one_run(text, once, layout) if plan[:place] == once[:place])


def _places(text: str, plan: Plan, layout: LineLayout, change: int) -> list[int]:
    """Where fillers can be added or removed: ends of filler runs and of fields that need not be full."""
    places = {match.end() for match in _RUN.finditer(_laid_out(text, plan))}
    if change > 0:
        ends = (span.end for span in layout.spans if span.content in (Content.NUMBER, Content.OPTIONAL))
        places.update(end - change for end in ends if 0 < end - change <= len(plan))
    return sorted(places)


def _changed(text: str, plan: Plan, place: int, change: int) -> Plan:
    """`plan` with `change` fillers more (or less) before `place`; unchanged where they are not there."""
    if change >= 0:
        return plan[:place] + (FILLER,) * change + plan[place:]
    start = place + change
    if start < 0 or set(_laid_out(text, plan[start:place])) != {"<"}:
        return plan
    return plan[:start] + plan[place:]
