"""Values that rest on where their line was taken to begin or end, which a check digit cannot prove.

A row that is not as long as its line is laid out with fillers added or left out (`fitting`), and what makes
check digits hold is preferred. A check digit that was looked for like this proves nothing: one in ten wrong
layouts satisfies it. The composite digit says the same once more, not something new, as it weighs a document
number and its check digit like the number's own digit does.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from vidence_server.extraction.domain.document import Validation, Verdict
from vidence_server.extraction.types.mrz.fitting import FILLER, FittedLine
from vidence_server.extraction.types.mrz.formats import Content, Span

LENGTH_RULE = "icao9303.line_length"
LENGTH_ASSUMED = Validation(
    Verdict.NOT_CHECKED, LENGTH_RULE, message="fillers were added or left out here, so nothing is proven"
)
"""In place of the verdict on a value that is only right if the fillers are."""
PLACE_ASSUMED = Validation(
    Verdict.NOT_CHECKED, LENGTH_RULE, message="the line has another length and may begin elsewhere"
)
"""In place of the verdict on a value beside which too little holds."""
_CODES = (Content.CODE, Content.COUNTRY)
_BEGINNING = 2  # fields: document code and issuing state


def field_places(span: Span, continued: int) -> list[int]:
    """Where the characters of a field stand in its line, those of a long number outside of it too."""
    outside = [span.check, *range(*span.rest)] if span.check is not None and span.rest is not None else []
    return [*range(span.start, span.end), *outside[:continued]]


def assumed(line: FittedLine, span: Span, continued: int) -> Validation | None:
    """What a field's verdict has to be where fillers were chosen so that the value holds; else None.

    Args:
        line: the line as laid out.
        span: the field.
        continued: characters of a long number outside of the field.
    """
    if span.content is Content.OPTIONAL:
        return LENGTH_ASSUMED if _filled_up(line, span) else None
    return LENGTH_ASSUMED if span.check is not None and _torn(line, span, continued) else None


def misplaced(line: FittedLine, span: Span, verdicts: Mapping[Span, Verdict]) -> Validation | None:
    """What a field's verdict has to be where it may stand elsewhere in its line; else None.

    Characters that a row of another length holds side by side moved together, if they moved. Where one value
    of them holds by chance, others do not.

    Args:
        line: the line as laid out.
        span: the field.
        verdicts: on all fields of the line.
    """
    if line.exact:
        return None
    beside = [
        verdict
        for other, verdict in verdicts.items()
        if other is not span and _moved(line, other) == _moved(line, span) and not _composite_only(other)
    ]
    held, broken = beside.count(Verdict.VALID), beside.count(Verdict.INVALID)
    # one in ten values has the right check digit by chance, one in seventy codes is a state's
    alone = held <= broken and (broken > 0 or span.content not in _CODES)
    return PLACE_ASSUMED if alone or _cut_in_front(line, span) else None


def _moved(line: FittedLine, span: Span) -> int:
    """How far a field stands from its place, in characters."""
    return line.plan[span.start] - span.start


def _cut_in_front(line: FittedLine, span: Span) -> bool:
    """Whether a document code or state may be letters of a name, as the row does not begin with the line.

    No name has a filler behind its first letter, as most codes have.
    """
    begins = line.layout.first_filled and span in line.layout.spans[:_BEGINNING]
    return begins and line.plan[0] != 0 and line.text[1] != "<"


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


def _composite_only(span: Span) -> bool:
    """Whether only the digit over the whole zone covers a field: it holds wherever the field begins."""
    return span.content is Content.OPTIONAL and span.check is None


def _filled_up(line: FittedLine, span: Span) -> bool:
    """Whether fillers were added behind optional data of which no filler was read.

    Where one was, the value ends there, however many follow.
    """
    places = range(span.start, span.end)
    read = any(glyph is not None and glyph.char == "<" for glyph in map(line.glyph, places))
    return not read and any(line.plan[at] == FILLER for at in places)
