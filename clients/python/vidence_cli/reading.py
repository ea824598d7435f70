"""What is known of one reading so far: gathers its messages for the one who shows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidence.extraction.v1 import document_pb2
from vidence_client.extraction import Response

LINE_KEY = "text.line"


@dataclass(slots=True)
class Reading:
    """The state of one reading.

    Attributes:
        name: Name of the file.
        start_s: When it began, s on any monotonic clock.
        document_type: Key of the type; empty until it is known.
        type_confidence: How sure the type is, 0–1.
        fields: Last revision of each (key, index), in order of arrival.
        done: Steps done.
        total: Steps to do in all.
        first_field_s: From the start to the first field, s; None before it.
        total_s: From the start to the end, s; None before it.
        complete: Whether the document is complete.
    """

    name: str
    start_s: float
    document_type: str = ""
    type_confidence: float = 0.0
    fields: dict[tuple[str, int], document_pb2.ExtractedField] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    first_field_s: float | None = None
    total_s: float | None = None
    complete: bool = False

    def take(self, message: Response, now_s: float) -> None:
        """Takes the next message, which came at `now_s`; messages that tell nothing to show are ignored."""
        match message.WhichOneof("payload"):
            case "extraction_start" if message.extraction_start.document_type:
                self.document_type, self.type_confidence = message.extraction_start.document_type, 1.0
            case "document_type_detected":
                detected = message.document_type_detected
                self.document_type, self.type_confidence = detected.document_type, detected.confidence
            case "extraction_field":
                self._take_field(message.extraction_field.field, now_s)
            case "extraction_progress":
                self.done, self.total = message.extraction_progress.done, message.extraction_progress.total
            case "extraction_complete":
                self._finish(message.extraction_complete.document, now_s)
            case _:
                pass

    def _take_field(self, read: document_pb2.ExtractedField, now_s: float) -> None:
        if self.first_field_s is None:
            self.first_field_s = now_s - self.start_s
        self.fields[read.key, read.index] = read

    def _finish(self, document: document_pb2.Document, now_s: float) -> None:
        self.document_type, self.type_confidence = document.document_type, document.type_confidence
        self.fields = {(read.key, read.index): read for read in document.fields}
        self.total_s = now_s - self.start_s
        self.complete = True
