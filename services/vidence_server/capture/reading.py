"""A reader of documents that is an extraction service, in this process or behind gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeAlias

from vidence.extraction.v1 import document_pb2
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.capture.domain.verification import FieldFact
from vidence_server.capture.ports import ReadPart

ExtractDocument: TypeAlias = Callable[[pb.ExtractDocumentRequest], AsyncIterator[pb.ExtractDocumentResponse]]
"""Answers as the RPC does, `connected` and heartbeats may be missing; fails with a `DomainError`."""

_PARTS = frozenset(
    {
        "extraction_start",
        "document_type_detected",
        "extraction_field",
        "extraction_progress",
        "extraction_complete",
    }
)
_VALID = {
    document_pb2.VALIDATION_VERDICT_VALID: True,
    document_pb2.VALIDATION_VERDICT_INVALID: False,
}


class ExtractionReader:
    """Reads documents by the extraction service; fits `ports.DocumentReader`."""

    def __init__(self, extract: ExtractDocument) -> None:
        self._extract = extract

    async def read(self, content: bytes, *, document_type: str) -> AsyncGenerator[ReadPart, None]:
        """Reads an encoded picture; see `ports.DocumentReader`."""
        responses = self._extract(pb.ExtractDocumentRequest(content=content, document_type=document_type))
        try:
            async for response in responses:
                kind = response.WhichOneof("payload") or ""
                if kind not in _PARTS:
                    continue
                part = getattr(response, kind)
                values = None
                if kind == "extraction_complete":
                    values = tuple(map(_fact, response.extraction_complete.document.fields))
                yield ReadPart(kind, part.SerializeToString(), values)
        finally:
            aclose = getattr(responses, "aclose", None)
            if aclose is not None:
                await aclose()


def _fact(field: document_pb2.ExtractedField) -> FieldFact:
    source = document_pb2.FieldSource.Name(field.source).removeprefix("FIELD_SOURCE_")
    return FieldFact(field.key, field.value, source, _VALID.get(field.validation.verdict))
