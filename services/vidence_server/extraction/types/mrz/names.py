"""Names: primary identifier, two fillers, secondary identifier (ICAO Doc 9303-3, section 4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidence_server.extraction.types.mrz.confusions import LIKE_FILLER

_SEPARATOR = re.compile("<<+")
_FILLERS_PER_STRAY = 2  # in the tail: fewer fillers around a letter, and it may be a name


@dataclass(frozen=True, slots=True)
class NamePart:
    """One identifier and where it stands in the name field."""

    start: int
    end: int
    """Exclusive; `start == end` where the identifier is empty."""

    def of(self, field: str) -> str:
        """The characters of this part."""
        return field[self.start : self.end]


@dataclass(frozen=True, slots=True)
class NameField:
    """A name field taken apart."""

    surname: NamePart
    given_names: NamePart
    truncated: bool
    """The field is full to its last character, so that the name may go on (Doc 9303-3, section 4.6.2)."""


def parse_names(field: str) -> NameField:
    """Splits a name field at its first double filler. `field` holds `A`–`Z`, digits as read, and `<`."""
    stripped = field.rstrip("<")
    lead = len(stripped) - len(stripped.lstrip("<"))
    separator = _SEPARATOR.search(stripped, lead)
    if separator is None:
        end = len(stripped)
        return NameField(NamePart(lead, end), NamePart(end, end), stripped == field and bool(field))
    surname = NamePart(lead, separator.start())
    given_names = NamePart(separator.end(), len(stripped))
    return NameField(surname, given_names, stripped == field)


def readable(part: str) -> str:
    """Fillers inside a name as single spaces; what the document hyphenates is not told apart."""
    return " ".join(word for word in part.split("<") if word)


def without_false_fillers(field: str) -> str:
    """`field` with what recognisers read for fillers behind the names turned back into fillers.

    Behind the secondary identifier everything is filler (Doc 9303-3, section 4.6), so letters that resemble
    a filler, few among fillers, cannot be a name. Anything else behind it is left alone: a surplus filler
    may have been read inside a name.
    """
    names = re.match(r"<*[^<]+(?:<[^<]+)*(?:<<[^<]+(?:<[^<]+)*)?", field)
    if names is None:
        return field
    tail = field[names.end() :]
    strays = tail.replace("<", "")
    if not tail.startswith("<<") or len(strays) * _FILLERS_PER_STRAY > tail.count("<"):
        return field
    return field[: names.end()] + "<" * len(tail) if set(strays) <= LIKE_FILLER else field
