"""Probes of the extraction service."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.picture import WORD
from vidence_cli.smoke.probe import Json, Kept, Probe, Unexpected, having

_SERVICE = "vidence.extraction.v1.ExtractionService"


def _text(kept: Kept) -> Json:
    return {"content": kept.picture, "document_type": "text"}


def _read(_kept: Kept, answer: Any) -> None:
    document = (
        answer.document
        if "document" in answer.DESCRIPTOR.fields_by_name
        else answer.extraction_complete.document
    )
    if not any(WORD in field.value.upper() for field in document.fields):
        raise Unexpected("the word on the picture was not read")


def _known(_kept: Kept, answer: Any) -> None:
    if not answer.document_types:
        raise Unexpected("no document types are known")


PROBES = (
    Probe(f"{_SERVICE}/ListDocumentTypes", keep=_known),
    Probe(f"{_SERVICE}/ExtractDocument", _text, having("extraction_complete"), _read),
    Probe(f"{_SERVICE}/ReadDocument", _text, keep=_read),
)
