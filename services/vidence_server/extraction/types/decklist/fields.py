"""Entries of a deck as fields."""

from __future__ import annotations

from collections.abc import Iterator

from rapidfuzz.distance import Levenshtein

from vidence_server.extraction.domain.document import (
    NOT_CHECKED,
    Alternative,
    Correction,
    ExtractedField,
    FieldSource,
    Validation,
    Verdict,
)
from vidence_server.extraction.types.decklist.catalogue import CardCatalogue
from vidence_server.extraction.types.decklist.deck import Deck, DeckEntry
from vidence_server.extraction.types.decklist.grammar import Section
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextLine

NAME_RULE = "catalogue.name"
PRINTING_RULE = "catalogue.printing"
TOTAL_RULE = "decklist.total"

TOTALS = {
    Section.MAIN: "deck.main_count",
    Section.SIDEBOARD: "deck.sideboard_count",
    Section.COMMANDER: "deck.commander_count",
}
_UNTOLD = 0.8
"""Confidence of a section that no heading names."""
_UNCOUNTED = 0.9
"""Factor for a count that is a number of copies, or 1 because nothing else is said."""
_UNPROVEN = 0.6
"""Factor for a name that the catalogue does not know."""


def entry_fields(entry: DeckEntry, index: int, catalogue: CardCatalogue | None) -> Iterator[ExtractedField]:
    """The fields of the `index`-th entry of a deck, from 1; all of them share the index."""
    line = entry.source.line
    yield _count(entry, index)
    yield _name(entry, index)
    told = entry.source.entry
    if told and told.set_code:
        yield _field(
            "card.set",
            index,
            told.set_code,
            told.set_code,
            confidence=line.confidence,
            quad=line.quad,
            validation=_set(told.set_code, catalogue),
        )
    if told and told.number:
        number = told.number
        proof = _printing(entry, told.set_code, number, catalogue)
        yield _field(
            "card.collector_number",
            index,
            number,
            number,
            confidence=line.confidence,
            quad=line.quad,
            validation=proof,
        )
    confidence = line.confidence if entry.section_told else _UNTOLD * line.confidence
    yield _field("card.section", index, "", entry.section.value, confidence=confidence, quad=None)


def total_fields(deck: Deck) -> Iterator[ExtractedField]:
    """How many cards each section has, compared with what the picture states."""
    for section, key in TOTALS.items():
        counted = deck.total(section)
        stated, line = deck.totals.get(section, (None, None))
        if not counted and stated is None:
            continue
        least = min((_sure(entry) for entry in deck.entries if entry.section is section), default=0.0)
        yield _field(
            key,
            0,
            line.text if line else "",
            str(counted),
            confidence=least,
            quad=line.quad if line else None,
            validation=_total(counted, stated),
        )


def _count(entry: DeckEntry, index: int) -> ExtractedField:
    line = entry.count_line or entry.source.line
    told = entry.source.entry
    if entry.count_line is not None:
        raw, quad = entry.count_line.text.strip(), entry.count_line.quad
    elif told is not None and entry.counted:
        raw, quad = told.count_text, _part(line, 0, told.name_start)
    else:
        raw, quad = "", None
    confidence = line.confidence if entry.counted else line.confidence * _UNCOUNTED
    return _field("card.count", index, raw, str(entry.count), confidence=confidence, quad=quad)


def _name(entry: DeckEntry, index: int) -> ExtractedField:
    line, name = entry.source.line, entry.name
    start = name.start + (entry.source.entry.name_start if entry.source.entry else 0)
    quad = _part(line, start, start + len(name.raw))
    if name.match is None:
        message = "no card of the catalogue is clearly meant"
        unproven = Validation(Verdict.NOT_CHECKED, NAME_RULE, message=message)
        sure = line.confidence * _UNPROVEN
        return _field("card.name", index, name.raw, name.raw, confidence=sure, quad=quad, validation=unproven)
    return ExtractedField(
        key="card.name",
        index=index,
        revision=1,
        raw_value=name.raw,
        value=name.match.name,
        confidence=_sure(entry),
        quad=quad,
        source=FieldSource.VISUAL,
        validation=Validation(Verdict.VALID, NAME_RULE),
        alternatives=tuple(Alternative(other.name, other.score * line.confidence) for other in name.others),
        corrections=tuple(_corrections(name.raw, name.match.name)),
    )


def _sure(entry: DeckEntry) -> float:
    return entry.source.line.confidence * (entry.name.match.score if entry.name.match else _UNPROVEN)


def _corrections(read: str, name: str) -> Iterator[Correction]:
    """What the catalogue changed, piece by piece, positions in what was read."""
    for edit in Levenshtein.opcodes(read, name):
        if edit.tag != "equal":
            before = read[edit.src_start : edit.src_end]
            yield Correction(edit.src_start, before, name[edit.dest_start : edit.dest_end], NAME_RULE)


def _set(code: str, catalogue: CardCatalogue | None) -> Validation:
    if catalogue is None or not catalogue.sets:
        return NOT_CHECKED
    if code in catalogue.sets:
        return Validation(Verdict.VALID, PRINTING_RULE)
    return Validation(Verdict.INVALID, PRINTING_RULE, actual=code, message="the catalogue has no such set")


def _printing(entry: DeckEntry, code: str, number: str, catalogue: CardCatalogue | None) -> Validation:
    printed = catalogue.printed(code, number) if catalogue and code else ""
    if not printed or entry.name.match is None:
        return NOT_CHECKED
    if printed == entry.name.match.name:
        return Validation(Verdict.VALID, PRINTING_RULE)
    message = "the catalogue has another card under this number"
    return Validation(Verdict.INVALID, PRINTING_RULE, expected=printed, actual=number, message=message)


def _total(counted: int, stated: int | None) -> Validation:
    if stated is None:
        return NOT_CHECKED
    if counted == stated:
        return Validation(Verdict.VALID, TOTAL_RULE)
    message = "the cards that were read are not as many as the picture states"
    return Validation(Verdict.INVALID, TOTAL_RULE, str(counted), str(stated), message)


def _part(line: TextLine, start: int, end: int) -> Quad:
    """Where characters `start` to `end` of a line stand."""
    if not line.characters or len(line.characters) != len(line.text):
        length = max(1, len(line.text))
        return line.quad.part(start / length, end / length)
    half = 0.5 / len(line.characters)
    first = line.characters[min(start, len(line.characters) - 1)].position
    last = line.characters[max(0, min(end, len(line.characters)) - 1)].position
    return line.quad.part(max(0.0, first - half), min(1.0, last + half))


def _field(
    key: str,
    index: int,
    raw: str,
    value: str,
    *,
    confidence: float,
    quad: Quad | None,
    validation: Validation = NOT_CHECKED,
) -> ExtractedField:
    return ExtractedField(key, index, 1, raw, value, confidence, quad, FieldSource.VISUAL, validation)
