"""What an extraction tells while it runs, in this order.

`ExtractionStart` first; `DocumentTypeDetected` only where the caller named no type, before the first
`FieldRead`; `ExtractionProgress` between; `ExtractionComplete` last and once. A failure is a `DomainError`
instead of `ExtractionComplete`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vidence_server.extraction.domain.document import (
    Document,
    DocumentTypeGuess,
    ExtractedField,
    PlannedField,
)


class Stage(StrEnum):
    """The steps of an extraction, in order."""

    DECODE = "DECODE"
    """Bytes to pixels."""
    DETECT = "DETECT"
    """Pixels to regions of text."""
    RECOGNISE = "RECOGNISE"
    """Regions to characters."""
    INTERPRET = "INTERPRET"
    """Characters to fields."""


@dataclass(frozen=True, slots=True)
class ExtractionStart:
    """The picture is decoded and work begins."""

    extraction_id: str
    """Names this reading in logs, `ext_` and a UUIDv7."""
    document_type: str | None
    """The type the caller named; None where it is to be detected."""
    plan: tuple[PlannedField, ...]
    """Empty until the type is known."""
    width_px: int
    height_px: int
    """Size of the decoded picture, in whose pixels all boxes are given."""


@dataclass(frozen=True, slots=True)
class DocumentTypeDetected:
    """The type of the document is known."""

    guess: DocumentTypeGuess
    plan: tuple[PlannedField, ...]


@dataclass(frozen=True, slots=True)
class FieldRead:
    """A field was read, or read better (`revision` > 1)."""

    field: ExtractedField


@dataclass(frozen=True, slots=True)
class ExtractionProgress:
    """How far the reading of lines is."""

    done: int
    """Lines read; never falls."""
    total: int
    """At least `done`; may shrink when lines need not be read after all."""

    @property
    def fraction(self) -> float:
        """`done` of `total`, 0–1; 1 where there is nothing to do."""
        return self.done / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Time one stage took."""

    stage: Stage
    duration_s: float
    """From the start of its first step to the end of its last."""
    steps: int
    """How many steps it took: pictures, lines."""


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """Where the time went. Stages overlap where lines are read in parallel, so they may sum to more."""

    stages: tuple[StageLatency, ...]
    """In the order of `Stage`."""
    total_s: float
    """From the arrival of the request to the last event."""
    first_field_s: float | None
    """From the arrival of the request to the first field; None where there was none."""


@dataclass(frozen=True, slots=True)
class ExtractionComplete:
    """The final document. Has no fields where nothing of its type could be read."""

    document: Document
    latency: LatencyBudget
    record: str = ""
    """The provenance record, canonical JSON; empty unless it was asked for."""


ExtractionEvent: TypeAlias = (
    ExtractionStart | DocumentTypeDetected | FieldRead | ExtractionProgress | ExtractionComplete
)
