"""The five layouts as data: which characters of which line mean what.

Sources: ICAO Doc 9303-5 (TD1), 9303-6 (TD2), 9303-4 (TD3), 9303-7 (MRV-A, MRV-B). Positions count from 0 here
and from 1 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class CharacterClass(Enum):
    """Which characters a position may hold; the filler `<` is allowed wherever a value may be shorter."""

    DIGIT = auto()
    LETTER = auto()
    ALPHANUMERIC = auto()


class Content(Enum):
    """How a field's characters become a value."""

    CODE = auto()
    COUNTRY = auto()
    NAMES = auto()
    NUMBER = auto()
    BIRTH_DATE = auto()
    EXPIRY_DATE = auto()
    SEX = auto()
    OPTIONAL = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """One field in a line: characters `start` to `end` (exclusive)."""

    key: str
    """Standard field key; for `NAMES` that of the surname."""
    content: Content
    start: int
    end: int
    characters: CharacterClass
    check: int | None = None
    """Where the field's own check digit stands in the same line."""
    rest: tuple[int, int] | None = None
    """Where a value goes on that is too long for the field: start and end (exclusive) in the same line."""


@dataclass(frozen=True, slots=True)
class LineLayout:
    """One line of a format."""

    number: int
    """1 is the upper line."""
    length: int
    spans: tuple[Span, ...]
    digits: frozenset[int] = frozenset()
    """Positions of check digits, the composite one included."""

    @property
    def first_filled(self) -> bool:
        """Whether the line begins with the document code."""
        return bool(self.spans) and self.spans[0].content is Content.CODE

    @property
    def ends_in_names(self) -> bool:
        """Whether everything right of the names is filler."""
        return self.spans[-1].content is Content.NAMES


@dataclass(frozen=True, slots=True)
class CompositeCheck:
    """The digit over several parts of the zone."""

    line: int
    position: int
    parts: tuple[tuple[int, int, int], ...]
    """(line number, start, end exclusive), in the order in which they are summed."""


@dataclass(frozen=True, slots=True)
class MrzFormat:
    """One of the five layouts."""

    name: str
    codes: frozenset[str]
    """First characters that a document of this layout begins with."""
    lines: tuple[LineLayout, ...]
    composite: CompositeCheck | None = None

    @property
    def length(self) -> int:
        """Characters in each line."""
        return self.lines[0].length


_CODE = Span("document.code", Content.CODE, 0, 2, CharacterClass.LETTER)
_ISSUER = Span("document.issuer", Content.COUNTRY, 2, 5, CharacterClass.LETTER)


def _names(start: int, end: int) -> Span:
    return Span("person.surname", Content.NAMES, start, end, CharacterClass.LETTER)


def _upper_line(length: int) -> LineLayout:
    """First line of all layouts but TD1: code, issuer, names."""
    return LineLayout(1, length, (_CODE, _ISSUER, _names(5, length)))


def _lower_line(
    length: int,
    optional_end: int,
    optional_check: int | None,
    composite: int | None,
    rest: tuple[int, int] | None = None,
) -> LineLayout:
    """Second line of all layouts but TD1: number, nationality, dates, sex, optional data."""
    digits = {9, 19, 27, *(position for position in (optional_check, composite) if position is not None)}
    alphanumeric = CharacterClass.ALPHANUMERIC
    return LineLayout(
        2,
        length,
        (
            Span("document.number", Content.NUMBER, 0, 9, alphanumeric, check=9, rest=rest),
            Span("person.nationality", Content.COUNTRY, 10, 13, CharacterClass.LETTER),
            Span("person.birth_date", Content.BIRTH_DATE, 13, 19, CharacterClass.DIGIT, check=19),
            Span("person.sex", Content.SEX, 20, 21, CharacterClass.LETTER),
            Span("document.expiry_date", Content.EXPIRY_DATE, 21, 27, CharacterClass.DIGIT, check=27),
            Span(
                "document.optional_data",
                Content.OPTIONAL,
                28,
                optional_end,
                alphanumeric,
                check=optional_check,
            ),
        ),
        frozenset(digits),
    )


TD1 = MrzFormat(
    "TD1",
    frozenset("IAC"),
    (
        LineLayout(
            1,
            30,
            (
                _CODE,
                _ISSUER,
                Span(
                    "document.number",
                    Content.NUMBER,
                    5,
                    14,
                    CharacterClass.ALPHANUMERIC,
                    check=14,
                    rest=(15, 30),
                ),
                Span("document.optional_data", Content.OPTIONAL, 15, 30, CharacterClass.ALPHANUMERIC),
            ),
            frozenset({14}),
        ),
        LineLayout(
            2,
            30,
            (
                Span("person.birth_date", Content.BIRTH_DATE, 0, 6, CharacterClass.DIGIT, check=6),
                Span("person.sex", Content.SEX, 7, 8, CharacterClass.LETTER),
                Span("document.expiry_date", Content.EXPIRY_DATE, 8, 14, CharacterClass.DIGIT, check=14),
                Span("person.nationality", Content.COUNTRY, 15, 18, CharacterClass.LETTER),
                Span("document.optional_data_2", Content.OPTIONAL, 18, 29, CharacterClass.ALPHANUMERIC),
            ),
            frozenset({6, 14, 29}),
        ),
        LineLayout(3, 30, (_names(0, 30),)),
    ),
    CompositeCheck(2, 29, ((1, 5, 30), (2, 0, 7), (2, 8, 15), (2, 18, 29))),
)

TD2 = MrzFormat(
    "TD2",
    frozenset("IAC"),
    (_upper_line(36), _lower_line(36, 35, None, 35, rest=(28, 35))),
    CompositeCheck(2, 35, ((2, 0, 10), (2, 13, 20), (2, 21, 35))),
)

TD3 = MrzFormat(
    "TD3",
    frozenset("P"),
    (_upper_line(44), _lower_line(44, 42, 42, 43)),
    CompositeCheck(2, 43, ((2, 0, 10), (2, 13, 20), (2, 21, 43))),
)

MRV_A = MrzFormat("MRV-A", frozenset("V"), (_upper_line(44), _lower_line(44, 44, None, None)))

MRV_B = MrzFormat("MRV-B", frozenset("V"), (_upper_line(36), _lower_line(36, 36, None, None)))

FORMATS: tuple[MrzFormat, ...] = (TD3, MRV_A, TD1, TD2, MRV_B)
