"""A document as it was read: fields with their proof, and how they are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vidence_server.vision.geometry import Quad


class FieldSource(StrEnum):
    """Where on the document a value was read."""

    VISUAL = "VISUAL"
    MRZ = "MRZ"
    BARCODE = "BARCODE"
    TEXT_LAYER = "TEXT_LAYER"
    """The text of a PDF that agrees with what is drawn."""


class Verdict(StrEnum):
    """What a rule says about a value."""

    VALID = "VALID"
    INVALID = "INVALID"
    NOT_CHECKED = "NOT_CHECKED"
    """No rule covers the value, or what the rule needs could not be read."""


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict of one rule on one value."""

    verdict: Verdict
    rule: str = ""
    """Which rule, e.g. `icao9303.check_digit`; empty where none was applied."""
    expected: str = ""
    """What the rule computes from the value, e.g. the check digit."""
    actual: str = ""
    """What the document shows instead."""
    message: str = ""
    """For people; holds no field value."""


NOT_CHECKED = Validation(Verdict.NOT_CHECKED)
"""The validation of a value that no rule covers."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another value that the picture allows."""

    value: str
    """Normalised like the field's own value."""
    confidence: float
    """0–1."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One character that was read one way and is, provably, another."""

    position: int
    """Index in the field's `raw_value`, from 0."""
    read: str
    """What the recogniser read; empty where a character was missing."""
    corrected: str
    """What it is; empty where a character was too many."""
    proof: str
    """The rule that proves it, e.g. `icao9303.check_digit`."""


@dataclass(frozen=True, slots=True)
class ExtractedField:
    """One value of a document. A later reading of the same key and index has a higher revision."""

    key: str
    """A key of `domain.fields`."""
    index: int
    """0 for a single value; 1, 2, … for values of a repeated key."""
    revision: int
    """1 for the first reading, +1 for each better one."""
    raw_value: str
    """As read, before any correction."""
    value: str
    """Normalised as the key's format says; empty where it could not be normalised."""
    confidence: float
    """0–1: the recogniser's, lowered where the value is contradicted by a check."""
    quad: Quad | None
    """In pixels of the decoded image; None where the value has no place of its own."""
    source: FieldSource
    validation: Validation = NOT_CHECKED
    alternatives: tuple[Alternative, ...] = ()
    """Most likely first; the value itself is not among them."""
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedField:
    """A field that an extraction is going to look for."""

    key: str
    index: int = 0
    """0 for a single value; for a repeated key its index, or 0 when the number of values is unknown."""
    required: bool = True
    """Whether a document of the type always has it."""


@dataclass(frozen=True, slots=True)
class DocumentTypeGuess:
    """The type a document seems to be."""

    key: str
    confidence: float
    """0–1."""


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that was read."""

    document_type: str
    type_confidence: float
    """0–1; 1 where the caller named the type."""
    fields: tuple[ExtractedField, ...]
    """In the order of the type's plan; the last revision of each."""


def assemble(
    guess: DocumentTypeGuess, fields: Iterable[ExtractedField], plan: Sequence[PlannedField]
) -> Document:
    """The document made of the last revision of each field, in plan order.

    Fields outside the plan follow the planned ones, by key and index.
    """
    latest: dict[tuple[str, int], ExtractedField] = {}
    for field in fields:
        known = latest.get((field.key, field.index))
        if known is None or known.revision <= field.revision:
            latest[field.key, field.index] = field
    place_of_key: dict[str, int] = {}
    for place, planned in enumerate(plan):
        place_of_key.setdefault(planned.key, place)
    ordered = sorted(
        latest.values(), key=lambda field: (place_of_key.get(field.key, len(plan)), field.key, field.index)
    )
    return Document(guess.key, guess.confidence, tuple(ordered))
