"""What a group of operations makes of a library's documents: pure decisions, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from vidence_server.core.errors import DomainError
from vidence_server.library.domain.changes import Change, DocumentCreated, DocumentDeleted, DocumentUpdated
from vidence_server.library.domain.documents import (
    DocumentDraft,
    KeptState,
    OnExisting,
    Vector,
    document_exists,
    document_not_found,
    version_mismatch,
)
from vidence_server.library.domain.libraries import Library, model_mismatch
from vidence_server.library.store.documents import DocumentRow, Existing


@dataclass(frozen=True, slots=True)
class Put:
    """Keep a document."""

    draft: DocumentDraft
    vector: Vector | None
    """Given, or made of the text; None where it is believed to be a repetition."""
    believed_repeated: bool = False
    wordless: bool = False
    """Its text has nothing that a vector could be made of."""
    on_existing: OnExisting = OnExisting.UPDATE
    must_exist: bool = False
    if_version: int = 0
    """0: whatever it is."""

    @property
    def document_id(self) -> str:
        """Which."""
        return self.draft.document_id


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a document."""

    document_id: str
    if_version: int = 0


Operation: TypeAlias = Put | Remove


class VectorMissing(Exception):  # noqa: N818 - no error: the operation is to be prepared again
    """It was no repetition after all."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one operation."""

    state: KeptState
    version: int
    revision: int
    """Of a duplicate: what it has; else 0."""
    change: int | None
    """Which of the plan's changes it is."""


Verdict: TypeAlias = Decision | DomainError | VectorMissing


@dataclass(slots=True)
class _Place:
    """A document as it is in the middle of the group."""

    no: int
    version: int
    revision: int
    change: int | None
    content_hash: bytes
    size_bytes: int
    create_time: datetime
    was_there: bool
    put: Put | None = None
    """What is to be written; None: nothing."""


@dataclass(slots=True)
class Plan:
    """What is to be written."""

    verdicts: list[Verdict] = field(default_factory=list)
    """One per operation."""
    changes: list[Change] = field(default_factory=list)
    places: dict[str, _Place] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    """Row numbers of documents that were there and go, by id."""
    last_no: int = 0
    documents: int = 0
    """How many more there are."""
    content_bytes: int = 0


def plan(
    library: Library,
    there: Mapping[str, Existing],
    operations: Sequence[Operation],
    *,
    last_no: int,
    now: datetime,
) -> Plan:
    """Decides in order.

    Args:
        library: Whose documents these are.
        there: Those of them that are there, by id.
        operations: What is asked.
        last_no: Row number given last.
        now: When.
    """
    made = Plan(last_no=last_no)
    for name, row in there.items():
        made.places[name] = _Place(
            row.no, row.version, row.revision, None, row.content_hash, row.size_bytes, row.create_time, True
        )
    for operation in operations:
        try:
            verdict: Verdict = _decide(made, library, operation, now)
        except (DomainError, VectorMissing) as error:
            verdict = error
        made.verdicts.append(verdict)
    return made


def rows_of(
    made: Plan, revisions: Sequence[int], now: datetime
) -> tuple[list[DocumentRow], list[DocumentRow]]:
    """The rows that are new and those that are others now; `revisions`: one per change."""
    new: list[DocumentRow] = []
    changed: list[DocumentRow] = []
    for name, place in made.places.items():
        if place.put is None or place.change is None:
            continue
        draft = place.put.draft
        row = DocumentRow(
            no=place.no,
            document_id=name,
            version=place.version,
            revision=revisions[place.change],
            content_hash=draft.content_hash,
            size_bytes=place.size_bytes,
            text=draft.text,
            metadata=draft.metadata,
            metadata_json=draft.metadata_json,
            vector=place.put.vector,
            create_time=place.create_time,
            update_time=draft.origin.update_time if draft.origin else now,
        )
        (changed if place.was_there else new).append(row)
    return new, changed


def _decide(made: Plan, library: Library, operation: Operation, now: datetime) -> Decision:
    place = made.places.get(operation.document_id)
    if operation.if_version and place is not None and place.version != operation.if_version:
        raise version_mismatch(operation.if_version, place.version)
    if isinstance(operation, Remove):
        if place is None:
            raise document_not_found()
        return _remove(made, operation.document_id, place)
    if place is None:
        if operation.must_exist:
            raise document_not_found()
        return _create(made, library, operation, now)
    if place.content_hash == operation.draft.content_hash:
        return Decision(KeptState.DUPLICATE, place.version, place.revision, place.change)
    if operation.on_existing is OnExisting.FAIL:
        raise document_exists(place.version)
    return _update(made, library, operation, place)


def _create(made: Plan, library: Library, put: Put, now: datetime) -> Decision:
    _check_vector(library, put)
    draft = put.draft
    made.last_no += 1
    version = draft.origin.version if draft.origin else 1
    made.changes.append(DocumentCreated(draft.document_id, version))
    change = len(made.changes) - 1
    # One that was deleted earlier in the group gets a new number like every other; its row goes.
    made.places[draft.document_id] = _Place(
        no=made.last_no,
        version=version,
        revision=0,
        change=change,
        content_hash=draft.content_hash,
        size_bytes=draft.size_bytes,
        create_time=draft.origin.create_time if draft.origin else now,
        was_there=False,
        put=put,
    )
    made.documents += 1
    made.content_bytes += draft.size_bytes
    return Decision(KeptState.CREATED, version, 0, change)


def _update(made: Plan, library: Library, put: Put, place: _Place) -> Decision:
    _check_vector(library, put)
    draft = put.draft
    place.version = draft.origin.version if draft.origin else place.version + 1
    made.changes.append(DocumentUpdated(draft.document_id, place.version))
    made.content_bytes += draft.size_bytes - place.size_bytes
    place.change, place.put, place.revision = len(made.changes) - 1, put, 0
    place.content_hash, place.size_bytes = draft.content_hash, draft.size_bytes
    if draft.origin:
        place.create_time = draft.origin.create_time
    return Decision(KeptState.UPDATED, place.version, 0, place.change)


def _remove(made: Plan, document_id: str, place: _Place) -> Decision:
    del made.places[document_id]
    if place.was_there:
        made.removed[document_id] = place.no
    made.changes.append(DocumentDeleted(document_id))
    made.documents -= 1
    made.content_bytes -= place.size_bytes
    return Decision(KeptState.DELETED, place.version, 0, len(made.changes) - 1)


def _check_vector(library: Library, put: Put) -> None:
    """A document of a library with a model has a vector of this model, or no words; no other has any."""
    vector, embedding = put.vector, library.spec.embedding
    if vector is None:
        if embedding is None or put.wordless:
            return
        # A repetition that is none, or the library had no vectors when it was prepared.
        raise VectorMissing
    if embedding is None:
        raise model_mismatch("", vector.model_id)
    if (vector.model_id, vector.dimensions) != (embedding.model_id, embedding.dimensions):
        if put.draft.vector is None:
            raise VectorMissing  # the library's model was changed meanwhile
        raise model_mismatch(
            f"{embedding.model_id}/{embedding.dimensions}", f"{vector.model_id}/{vector.dimensions}"
        )
