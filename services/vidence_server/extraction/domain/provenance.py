"""The provenance record: what a reading was made from and by, as a chain of hashes.

A record is canonical JSON (keys sorted, no white space, UTF-8; numbers that are no integers as decimal text):
`{"entries": […], "format": "vidence.provenance/1"}`. Each entry names its `kind` and holds `previous`, the
hash of the entry before it (empty in the first), and `hash`: SHA-256 over its own canonical JSON without
`hash`. So no entry can be changed, left out or put elsewhere without every later hash changing, and the last
hash stands for the whole reading. It proves that nothing was changed, not who made it: sign it for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from vidence_server.core.canonical import canonical, canonical_hash
from vidence_server.extraction.domain.document import Document, ExtractedField
from vidence_server.vision.geometry import Quad

FORMAT = "vidence.provenance/1"


@dataclass(frozen=True, slots=True)
class Maker:
    """What a service reads with; the same for all its readings."""

    version: str
    """Of this software."""
    models: Mapping[str, str]
    """SHA-256 of each model by its name."""
    configuration: Mapping[str, str]
    """Every setting that can change what is read, as text."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was read, and what was asked for."""

    image_sha256: str
    """Of the submitted bytes."""
    media_type: str
    width_px: int
    height_px: int
    pdf_page: int
    document_type: str
    """As the request named it; empty where it was to be detected."""
    catalogue: str
    """As the request named it; empty for the default."""
    profile: str
    """As the request named it; empty for the default, whose name is `reading.name` of the configuration."""
    catalogue_sha256: str
    """Of the catalogue's file; empty where none was used."""
    today: date
    """The day that two-digit years were completed by."""


def provenance_record(source: Source, maker: Maker, document: Document) -> str:
    """The record of one reading, canonical JSON."""
    entries: list[dict[str, Any]] = []
    previous = ""
    for entry in _entries(source, maker, document):
        linked = {**entry, "previous": previous}
        previous = canonical_hash(linked)
        entries.append({**linked, "hash": previous})
    return canonical({"format": FORMAT, "entries": entries})


def _entries(source: Source, maker: Maker, document: Document) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "image",
        "sha256": source.image_sha256,
        "media_type": source.media_type,
        "width_px": source.width_px,
        "height_px": source.height_px,
    }
    yield {
        "kind": "request",
        "document_type": source.document_type,
        "catalogue": source.catalogue,
        "pdf_page": source.pdf_page,
        "profile": source.profile,
    }
    yield {"kind": "software", "name": "vidence", "version": maker.version}
    for name, sha256 in sorted(maker.models.items()):
        yield {"kind": "model", "name": name, "sha256": sha256}
    if source.catalogue_sha256:
        yield {"kind": "catalogue", "sha256": source.catalogue_sha256}
    yield {"kind": "configuration", "values": dict(maker.configuration), "today": source.today.isoformat()}
    yield {
        "kind": "document",
        "document_type": document.document_type,
        "type_confidence": _decimal(document.type_confidence),
        "field_count": len(document.fields),
    }
    for field in document.fields:
        yield _field(field)


def _field(field: ExtractedField) -> dict[str, Any]:
    validation = field.validation
    return {
        "kind": "field",
        "key": field.key,
        "index": field.index,
        "revision": field.revision,
        "raw_value": field.raw_value,
        "value": field.value,
        "confidence": _decimal(field.confidence),
        "box": _box(field.quad),
        "source": field.source.value,
        "validation": {
            "verdict": validation.verdict.value,
            "rule": validation.rule,
            "expected": validation.expected,
            "actual": validation.actual,
        },
        "corrections": [
            {"position": made.position, "read": made.read, "corrected": made.corrected, "proof": made.proof}
            for made in field.corrections
        ],
        "alternatives": [
            {"value": other.value, "confidence": _decimal(other.confidence)} for other in field.alternatives
        ],
    }


def _box(quad: Quad | None) -> list[str]:
    """X and y of the corners, clockwise from the top left of the writing; empty without a place."""
    if quad is None:
        return []
    return [f"{number:.1f}" for corner in quad.corners for number in (corner.x, corner.y)]


def _decimal(number: float) -> str:
    return f"{number:.3f}"
