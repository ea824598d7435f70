"""What the lines of a decklist say: entries, counts, headings, totals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Section(StrEnum):
    """The parts of a deck."""

    MAIN = "main"
    SIDEBOARD = "sideboard"
    COMMANDER = "commander"
    COMPANION = "companion"
    MAYBEBOARD = "maybeboard"


@dataclass(frozen=True, slots=True)
class EntryText:
    """A line taken apart: `4 Lightning Bolt (M11) 149`."""

    count: int
    count_text: str
    name: str
    name_start: int
    """Position of `name` in the line."""
    set_code: str = ""
    """In capitals, as decks write it."""
    number: str = ""
    """Collector number."""
    sideboard: bool = False
    """Whether the line itself says so (`SB: …`)."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section, or of a group of cards in it (`Creatures (24)`)."""

    section: Section | None
    """None for a group."""
    total: int | None
    """How many cards it announces."""


_MOST = 250
"""Copies of one card in any deck: basic lands of a large one."""
_SECTIONS = {
    "deck": Section.MAIN,
    "decklist": Section.MAIN,
    "main": Section.MAIN,
    "maindeck": Section.MAIN,
    "mainboard": Section.MAIN,
    "sideboard": Section.SIDEBOARD,
    "side": Section.SIDEBOARD,
    "commander": Section.COMMANDER,
    "commanders": Section.COMMANDER,
    "companion": Section.COMPANION,
    "maybeboard": Section.MAYBEBOARD,
    "considering": Section.MAYBEBOARD,
}
_GROUPS = frozenset(
    {
        "artifact", "battle", "creature", "enchantment", "instant", "land", "other", "planeswalker",
        "sorcery", "spell", "otherspell", "basicland", "nonbasicland", "instantandsorcery",
    }
)  # fmt: skip

_PREFIX = re.compile(
    r"^\s*(?P<sb>(?:SB|Sb)\s*[:.]\s*)?(?P<count>\d{1,3}|[lI|])(?P<x>\s*[xX×](?=\s|$)|[xX×](?=[A-Z]))?\s*(?P<rest>.*)$"
)
_SUFFIX = re.compile(r"^(?P<rest>.*\S)\s+[xX×]\s?(?P<count>\d{1,3})$")
_COUNT = re.compile(r"^\W*?(?:[xX×]\s?(\d{1,3})|(\d{1,3})\s?[xX×])\W*$")
_NUMBER = re.compile(r"^(\d{1,3})$")
_PRINTING = re.compile(
    r"\s*[(\[{](?P<set>[A-Za-z0-9]{2,6})[)\]}](?:\s*#?(?P<number>[A-Za-z]{0,3}-?\d{1,4}[a-z★†]?))?\s*(?:[*#^<].*)?$"
)
_TAIL = re.compile(r"\s*(?:\*[A-Z]+\*|#!?\S.*|\^.*\^)\s*$")
_HEADING = re.compile(
    r"^\W*(?P<words>[A-Za-z][A-Za-z &/-]*?)\s*[:\-–—]?\s*[(\[]?\s*"
    r"(?P<total>\d{1,3})?\s*(?:cards?)?\s*[)\]]?\W*$"
)
_TOTAL = re.compile(r"^\D{0,24}?(\d{1,3})\s*(?:/\s*\d{1,3})?\s*cards?\W*$", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")


def entry_of(text: str) -> EntryText | None:
    """A count and what it counts; None where the line is no such entry."""
    prefix = _PREFIX.match(text)
    if prefix and _starts_entry(prefix):
        return _entry(prefix["count"], prefix["rest"], prefix.start("rest"), sideboard=bool(prefix["sb"]))
    suffix = _SUFFIX.match(text)
    return _entry(suffix["count"], suffix["rest"], 0) if suffix else None


def _starts_entry(prefix: re.Match[str]) -> bool:
    rest = prefix["rest"]
    if not _LETTER.search(rest) or not (rest[0].isalpha() or rest[0] in "\"'“+_"):
        return False
    # a lone letter is a misread 1 only where a space parts it from a name
    return prefix["count"].isdigit() or (_gap(prefix) and rest[0].isupper())


def _gap(prefix: re.Match[str]) -> bool:
    """Whether white space stands between the count and the rest."""
    return prefix.start("rest") > prefix.end("count") + len(prefix["x"] or "")


def _entry(count: str, rest: str, start: int, *, sideboard: bool = False) -> EntryText | None:
    value = int(count) if count.isdigit() else 1
    if not 0 < value <= _MOST:
        return None
    printing = _PRINTING.search(rest)
    name = rest[: printing.start()] if printing and printing.start() else _TAIL.sub("", rest)
    name = name.rstrip()
    if not _LETTER.search(name):
        return None
    return EntryText(
        count=value,
        count_text=count,
        name=name,
        name_start=start,
        set_code=printing["set"].upper() if printing and printing.start() else "",
        number=(printing["number"] or "") if printing and printing.start() else "",
        sideboard=sideboard,
    )


def count_of(text: str) -> int | None:
    """The count of a line that is nothing else: `x4`, `4x`."""
    found = _COUNT.match(text.strip())
    return _in_range(found[1] or found[2]) if found else None


def number_of(text: str) -> int | None:
    """The number of a line that is nothing else: `4`."""
    found = _NUMBER.match(text.strip())
    return _in_range(found[1]) if found else None


def _in_range(digits: str) -> int | None:
    return int(digits) if 0 < int(digits) <= _MOST else None


def heading_of(text: str) -> Heading | None:
    """The heading that a line is, or None."""
    found = _HEADING.match(text)
    if found is None:
        return None
    word = re.sub(r"[^a-z]", "", found["words"].casefold())
    total = int(found["total"]) if found["total"] else None
    if word in _SECTIONS:
        return Heading(_SECTIONS[word], total)
    singular = word.removesuffix("s") if not word.endswith("ies") else f"{word[:-3]}y"
    if (singular in _GROUPS or word in _GROUPS) and (total is not None or word.endswith("s")):
        return Heading(None, total)
    return None


def total_of(text: str) -> int | None:
    """How many cards a line says there are: `60/60 Cards`, `15 cards`."""
    found = _TOTAL.match(text.strip())
    return int(found[1]) if found else None
