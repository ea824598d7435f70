"""Values that rest on where their line was taken to begin or end, which a check digit cannot prove.

A row that is not as long as its line is laid out with fillers added or left out (`fitting`), and what makes
check digits hold is preferred. A check digit that was looked for like this proves nothing: one in ten wrong
layouts satisfies it. The composite digit says the same once more, not something new, as it weighs a document
number and its check digit like the number's own digit does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from vidence_server.extraction.domain.document import Validation, Verdict
from vidence_server.extraction.types.mrz.fitting import FILLER, FittedLine
from vidence_server.extraction.types.mrz.formats import Content, Span

LENGTH_RULE = "icao9303.line_length"
LENGTH_ASSUMED = Validation(
    Verdict.NOT_CHECKED, LENGTH_RULE, message="fillers were added or left out here, so nothing is proven"
)
"""In place of the verdict on a value that is only right if the fillers are."""
BEGINNING_ASSUMED = Validation(
    Verdict.NOT_CHECKED, LENGTH_RULE, message="the line has another length and may begin elsewhere"
)
"""In place of the verdict on a document code beside no state, or the other way round."""
_BEGINNING = 2  # fields: document code and issuing state


def field_places(span: Span, continued: int) -> list[int]:
    """Where the characters of a field stand in its line, those of a long number outside of it too."""
    outside = [span.check, *range(*span.rest)] if span.check is not None and span.rest is not None else []
    return [*range(span.start, span.end), *outside[:continued]]


def assumed(line: FittedLine, span: Span, continued: int, verdicts: Sequence[Verdict]) -> Validation | None:
    """What a field's verdict has to be where its layout was chosen so that the value holds; else None.

    Args:
        line: the line as laid out.
        span: the field.
        continued: characters of a long number outside of the field.
        verdicts: on all fields of the line, in their order.
    """
    if span.content is Content.OPTIONAL:
        return LENGTH_ASSUMED if _filled_up(line, span) else None
    if span.check is not None:
        return LENGTH_ASSUMED if _torn(line, span, continued) else None
    begins = line.layout.first_filled and span in line.layout.spans[:_BEGINNING] and not line.exact
    return BEGINNING_ASSUMED if begins and Verdict.INVALID in verdicts[:_BEGINNING] else None


def _torn(line: FittedLine, span: Span, continued: int) -> bool:
    """Whether characters of the value and its check digit did not stand side by side in the row as read.

    What ends a long number is the filler behind it, which counts like a character of it.
    """
    places = field_places(span, continued + 1 if continued else 0)
    if not continued and span.check is not None:
        places.append(span.check)
    return any(
        line.plan[after] != line.plan[before] + 1 or line.plan[before] < 0
        for before, after in pairwise(places)
        if after == before + 1
    )


def _filled_up(line: FittedLine, span: Span) -> bool:
    """Whether fillers were added behind optional data of which no filler was read.

    Where one was, the value ends there, however many follow.
    """
    places = range(span.start, span.end)
    read = any(glyph is not None and glyph.char == "<" for glyph in map(line.glyph, places))
    return not read and any(line.plan[at] == FILLER for at in places)
