"""Between the domain of libraries and its messages. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.library.v1 import face_pb2, library_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.library.domain.documents import (
    Document,
    DocumentDraft,
    Kept,
    KeptState,
    OnExisting,
    Vector,
    draft,
)
from vidence_server.library.domain.faces import Face, FaceHit, FaceModel, FaceTemplate
from vidence_server.library.domain.libraries import Embedding, Library
from vidence_server.library.domain.metadata import metadata_of
from vidence_server.library.records import WantedLibrary
from vidence_server.library.search.filters import Metadata, MetadataValue
from vidence_server.library.search.index import IndexKind
from vidence_server.runtime.status import to_status

_KINDS = {
    library_pb2.VECTOR_INDEX_EXACT: IndexKind.EXACT,
    library_pb2.VECTOR_INDEX_APPROXIMATE: IndexKind.APPROXIMATE,
}
_INDEXES = {kind: index for index, kind in _KINDS.items()}
_STATES = {
    KeptState.CREATED: pb.INGEST_STATE_CREATED,
    KeptState.UPDATED: pb.INGEST_STATE_UPDATED,
    KeptState.DUPLICATE: pb.INGEST_STATE_DUPLICATE,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_wanted(request: pb.CreateLibraryRequest) -> WantedLibrary:
    """A library as it is asked for."""
    return WantedLibrary(
        library_id=request.library_id,
        display_name=request.display_name,
        labels=dict(request.labels),
        model_id=request.model_id,
        dimensions=request.dimensions,
        without_vectors=request.without_vectors,
        index_kind=to_kind(request.vector_index) or IndexKind.EXACT,
    )


def to_kind(index: library_pb2.VectorIndex.ValueType) -> IndexKind | None:
    """None: unset."""
    return _KINDS.get(index)


def of_kind(kind: IndexKind | None) -> library_pb2.VectorIndex.ValueType:
    """UNSPECIFIED for None."""
    return library_pb2.VECTOR_INDEX_UNSPECIFIED if kind is None else _INDEXES[kind]


def of_embedding(embedding: Embedding | None, *, served: bool = False) -> library_pb2.Embedding | None:
    """None for None."""
    if embedding is None:
        return None
    return library_pb2.Embedding(model_id=embedding.model_id, dimensions=embedding.dimensions, served=served)


def of_library(
    library: Library, *, served: bool, reembedding: tuple[int, int] | None = None
) -> library_pb2.Library:
    """A library; `reembedding`: how many documents have their new vector, and how many there are."""
    message = library_pb2.Library(
        library_id=library.library_id,
        display_name=library.spec.display_name,
        labels=library.spec.labels,
        embedding=of_embedding(library.spec.embedding, served=served),
        vector_index=of_kind(library.spec.index_kind),
        revision=library.revision,
        document_count=library.document_count,
        content_bytes=library.content_bytes,
        face_count=library.face_count,
        create_time=of_time(library.create_time),
        update_time=of_time(library.update_time),
    )
    if reembedding is not None:
        done, total = reembedding
        message.reembedding.CopyFrom(
            library_pb2.Reembedding(model_id=library.next_model_id, done=done, total=total)
        )
    return message


def to_draft(document: library_pb2.Document, new_id: str = "") -> DocumentDraft:
    """A document that is to be kept.

    Args:
        document: As the client sent it.
        new_id: Its id where it has none.

    Raises:
        DomainError: REQUEST_INVALID.
    """
    metadata = {key: to_value(value) for key, value in document.metadata.items()}
    vector = to_vector(document.vector) if document.HasField("vector") else None
    return draft(document.document_id or new_id, document.text, metadata, vector)


def to_vector(vector: library_pb2.Vector) -> Vector:
    """A vector; raises `DomainError`, REQUEST_INVALID."""
    if not vector.model_id:
        raise invalid("vector.model_id", "is needed")
    return Vector(vector.model_id, _floats("vector", vector.values, vector.data))


def to_template(template: face_pb2.FaceTemplate) -> FaceTemplate:
    """A template; raises `DomainError`, REQUEST_INVALID."""
    model = FaceModel(template.model_name, template.model_version)
    return FaceTemplate(model, _floats("template", template.values, template.data))


def to_value(value: library_pb2.MetadataValue) -> MetadataValue:
    """A value of metadata; raises `DomainError`, REQUEST_INVALID."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "time_value":
            return to_time(value.time_value)
        case _:
            raise invalid("metadata", "has a value of no type")


def of_value(value: MetadataValue) -> library_pb2.MetadataValue:
    """A value of metadata."""
    match value:
        case bool():
            return library_pb2.MetadataValue(bool_value=value)
        case str():
            return library_pb2.MetadataValue(string_value=value)
        case datetime():
            return library_pb2.MetadataValue(time_value=of_time(value))
        case _:
            return library_pb2.MetadataValue(number_value=value)


def of_metadata(metadata: Metadata) -> Mapping[str, library_pb2.MetadataValue]:
    """Metadata."""
    return {key: of_value(value) for key, value in metadata.items()}


def of_document(document: Document, *, with_vector: bool = False) -> library_pb2.Document:
    """A document as it is kept."""
    vector = None
    if with_vector and document.vector is not None:
        vector = library_pb2.Vector(model_id=document.vector.model_id, data=document.vector.data)
    return library_pb2.Document(
        document_id=document.document_id,
        text=document.text,
        metadata=of_metadata(metadata_of(document.metadata_json)),
        vector=vector,
        version=document.version,
        revision=document.revision,
        content_sha256=document.content_hash.hex(),
        create_time=of_time(document.create_time),
        update_time=of_time(document.update_time),
    )


def to_on_existing(wanted: pb.OnExisting.ValueType) -> OnExisting:
    """Unset: UPDATE."""
    return OnExisting.FAIL if wanted == pb.ON_EXISTING_FAIL else OnExisting.UPDATE


def of_outcome(
    document_id: str, outcome: Kept | DomainError, request_id: str, line: int = 0
) -> pb.IngestResult:
    """What became of a document."""
    if isinstance(outcome, DomainError):
        return pb.IngestResult(document_id=document_id, error=to_status(outcome, request_id), line=line)
    return pb.IngestResult(
        document_id=outcome.document_id,
        state=_STATES[outcome.state],
        revision=outcome.revision,
        version=outcome.version,
        line=line,
    )


def of_face(face: Face) -> face_pb2.Face:
    """A face."""
    return face_pb2.Face(
        face_id=face.face_id,
        subject_id=face.subject_id,
        model_name=face.model.name,
        model_version=face.model.version,
        create_time=of_time(face.create_time),
    )


def of_face_hit(hit: FaceHit) -> face_pb2.FaceHit:
    """A face that was found."""
    return face_pb2.FaceHit(rank=hit.rank, subject_id=hit.subject_id, face_id=hit.face_id, score=hit.score)


def of_time(time: datetime) -> Timestamp:
    """A time, to the microsecond."""
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def to_time(time: Timestamp) -> datetime:
    """A time, cut to the microsecond; raises `DomainError`, REQUEST_INVALID."""
    try:
        return time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid("time_value", "is no time between the years 1 and 9999") from None


def of_time_ns(time_ns: int) -> Timestamp:
    """A time, from Unix ns."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def invalid(field: str, description: str) -> DomainError:
    """A field breaks its rule."""
    return DomainError(
        Reason.REQUEST_INVALID,
        f"The request breaks its rules: {field}.",
        fields=(FieldViolation(field, description),),
    )


def _floats(field: str, values: Iterable[float], data: bytes) -> bytes:
    numbers = np.array(values, "<f4")
    if bool(len(numbers)) == bool(data) or len(data) % 4:
        raise invalid(field, "has either values or data, 32-bit floats")
    return data or numbers.tobytes()
