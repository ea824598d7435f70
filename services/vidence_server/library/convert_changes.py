"""Changes and results of live queries as messages. Nothing is decided here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, assert_never

from google.protobuf.any_pb2 import Any as AnyMessage

from vidence.event.v1 import event_pb2
from vidence.library.v1 import library_events_pb2 as events_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.library.convert import of_embedding, of_kind, of_time_ns
from vidence_server.library.convert_search import add_hits
from vidence_server.library.domain.changes import (
    Change,
    ChangeKey,
    DocumentCreated,
    DocumentDeleted,
    DocumentUpdated,
    FaceEnrolled,
    LibraryCreated,
    LibraryDeleted,
    LibraryUpdated,
    ReembeddingProgressed,
    SubjectDeleted,
)
from vidence_server.library.domain.libraries import Library
from vidence_server.library.live import QueryResults
from vidence_server.storage.outbox import OutboxEvent

SOURCE = "vidence/library"
_TYPES = {
    "library_created": "library.created",
    "library_updated": "library.updated",
    "library_deleted": "library.deleted",
    "document_created": "document.created",
    "document_updated": "document.updated",
    "document_deleted": "document.deleted",
    "face_enrolled": "face.enrolled",
    "subject_deleted": "subject.deleted",
    "reembedding_progressed": "reembedding.progressed",
}
"""Types of events, by the member of the payload."""


class Changes:
    """Makes the messages of changes; fits `ports.ChangeEncoder`."""

    def entry(self, library_id: str, change: Change, sequence: int, time_ns: int) -> bytes:
        """The `LibraryEvent`, without its cursor."""
        member, payload, _ = _payload(library_id, change, sequence)
        event = pb.LibraryEvent(
            sequence=sequence,
            emit_time=of_time_ns(time_ns),
            library_id=library_id,
            **{member: payload},
        )
        return event.SerializeToString()

    def event(self, library: Library, change: Change, sequence: int, time_ns: int) -> OutboxEvent | None:
        """The event of the bus; None for progress, which is for those who watch the library."""
        if isinstance(change, ReembeddingProgressed):
            return None
        member, payload, subject = _payload(library.library_id, change, sequence)
        data = AnyMessage()
        data.Pack(payload)
        kind = _TYPES[member]
        # The library's life and the number of its change: the same change has the same id, always.
        event_id = f"{library.uid}/{sequence}"
        event = event_pb2.Event(
            source=SOURCE,
            id=event_id,
            type=kind,
            subject=subject,
            occurrence_time=of_time_ns(time_ns),
            data=data,
        )
        create_time = datetime.fromtimestamp(time_ns / 1e9, UTC)
        encoded = event.SerializeToString()
        return OutboxEvent(library.tenant, SOURCE, event_id, kind, subject, encoded, create_time)


def key_of(body: bytes) -> ChangeKey:
    """What filters look at, from an entry of a library's log."""
    event = pb.LibraryEvent.FromString(body)
    member = event.WhichOneof("payload") or ""
    payload = getattr(event, member, None)
    return ChangeKey(_TYPES.get(member, ""), getattr(payload, "document_id", ""))


def encode_results(query_id: str, results: QueryResults, sequence: int, time_ns: int) -> bytes:
    """The `QueryEvent` of a live query, without its cursor; fits `live.ResultsEncoder`."""
    event = pb.QueryEvent(
        sequence=sequence,
        emit_time=of_time_ns(time_ns),
        query_id=query_id,
        query_results=pb.QueryResults(
            query_revision=results.query_revision,
            library_revision=results.library_revision,
            entered_ids=results.entered_ids,
            left_ids=results.left_ids,
        ),
    )
    add_hits(event.query_results, results.hits)
    return event.SerializeToString()


def _payload(library_id: str, change: Change, revision: int) -> tuple[str, Any, str]:
    """Member of `LibraryEvent`, message, and what it is about."""
    match change:
        case LibraryCreated() | LibraryUpdated() | LibraryDeleted() | ReembeddingProgressed():
            return (*_library_payload(library_id, change), f"libraries/{library_id}")
        case DocumentCreated() | DocumentUpdated() | DocumentDeleted():
            subject = f"libraries/{library_id}/documents/{change.document_id}"
            return (*_document_payload(library_id, change, revision), subject)
        case FaceEnrolled(face_id):
            enrolled = events_pb2.FaceEnrolled(library_id=library_id, face_id=face_id, revision=revision)
            return "face_enrolled", enrolled, f"libraries/{library_id}/faces/{face_id}"
        case SubjectDeleted(count):
            gone = events_pb2.SubjectDeleted(library_id=library_id, face_count=count, revision=revision)
            return "subject_deleted", gone, f"libraries/{library_id}/subjects"
        case _:
            assert_never(change)


def _library_payload(
    library_id: str, change: LibraryCreated | LibraryUpdated | LibraryDeleted | ReembeddingProgressed
) -> tuple[str, Any]:
    match change:
        case LibraryCreated(embedding, index_kind):
            return "library_created", events_pb2.LibraryCreated(
                library_id=library_id,
                embedding=of_embedding(embedding),
                vector_index=of_kind(index_kind),
            )
        case LibraryUpdated():
            return "library_updated", events_pb2.LibraryUpdated(library_id=library_id)
        case LibraryDeleted(documents, faces):
            return "library_deleted", events_pb2.LibraryDeleted(
                library_id=library_id, document_count=documents, face_count=faces
            )
        case ReembeddingProgressed(model_id, done, total):
            return "reembedding_progressed", events_pb2.ReembeddingProgressed(
                library_id=library_id, model_id=model_id, done=done, total=total
            )
        case _:
            assert_never(change)


def _document_payload(
    library_id: str, change: DocumentCreated | DocumentUpdated | DocumentDeleted, revision: int
) -> tuple[str, Any]:
    match change:
        case DocumentCreated(document_id, version):
            return "document_created", events_pb2.DocumentCreated(
                library_id=library_id, document_id=document_id, revision=revision, version=version
            )
        case DocumentUpdated(document_id, version):
            return "document_updated", events_pb2.DocumentUpdated(
                library_id=library_id, document_id=document_id, revision=revision, version=version
            )
        case DocumentDeleted(document_id):
            return "document_deleted", events_pb2.DocumentDeleted(
                library_id=library_id, document_id=document_id, revision=revision
            )
        case _:
            assert_never(change)
