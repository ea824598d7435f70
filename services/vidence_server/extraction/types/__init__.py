"""Document types: how lines of text become fields. Part of the domain: nothing here talks to anything."""

from vidence_server.extraction.types.detect import TypeDetector
from vidence_server.extraction.types.document_type import DocumentType, FieldReader
from vidence_server.extraction.types.registry import DOCUMENT_TYPES, document_type

__all__ = ["DOCUMENT_TYPES", "DocumentType", "FieldReader", "TypeDetector", "document_type"]
