"""Runs a document type over lines, as the extraction service does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from vidence_server.extraction.domain.document import (
    Document,
    DocumentTypeGuess,
    ExtractedField,
    assemble,
)
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.means import NO_MEANS, ReadingMeans
from vidence_server.vision.text import TextLine

TODAY = date(2026, 1, 15)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything a reader gave."""

    events: tuple[ExtractedField, ...]
    """In the order given, all revisions."""
    document: Document
    complete: bool
    """After the last line, before `finish`."""

    def field(self, key: str, index: int = 0) -> ExtractedField:
        """The last revision of a field; raises StopIteration where it was not read."""
        return next(field for field in self.document.fields if (field.key, field.index) == (key, index))

    def values(self) -> dict[str, str]:
        """Normalised values of single fields by key."""
        return {field.key: field.value for field in self.document.fields if field.index == 0}


def read(
    type_key: str, lines: Iterable[TextLine], *, today: date = TODAY, means: ReadingMeans = NO_MEANS
) -> Reading:
    """Feeds the lines in order and finishes."""
    known = document_type(type_key)
    reader = known.start(today, means)
    events = [field for line in lines for field in reader.feed(line)]
    complete = reader.complete
    events.extend(reader.finish())
    document = assemble(DocumentTypeGuess(type_key, 1.0), events, known.planned_fields)
    return Reading(tuple(events), document, complete)
