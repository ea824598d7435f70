"""Rows of documents: what changes write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import bindparam, delete, insert, literal, select, update

from vidence_server.library.domain.documents import Vector
from vidence_server.library.search.filter_sql import field_rows
from vidence_server.library.search.filters import Metadata
from vidence_server.library.tables import DOCUMENTS, FIELDS, FORMER
from vidence_server.storage.database import Transaction

T = TypeVar("T")
_CHUNK = 500
"""Values in one `IN`: short enough for every database."""


@dataclass(frozen=True, slots=True)
class Existing:
    """What a change must know of a document that is there."""

    no: int
    version: int
    revision: int
    content_hash: bytes
    size_bytes: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A version that is to be written."""

    no: int
    document_id: str
    version: int
    revision: int
    content_hash: bytes
    size_bytes: int
    text: str
    metadata: Metadata
    metadata_json: str
    vector: Vector | None
    create_time: datetime
    update_time: datetime


async def existing(transaction: Transaction, library_no: int, ids: Sequence[str]) -> dict[str, Existing]:
    """The documents of a library that are there, by id."""
    columns = DOCUMENTS.c
    wanted = select(
        columns.document_id,
        columns.no,
        columns.version,
        columns.revision,
        columns.content_hash,
        columns.size_bytes,
        columns.create_time,
    ).where(columns.library_no == library_no)
    found: dict[str, Existing] = {}
    for some in _chunks(ids):
        rows = await transaction.execute(wanted.where(columns.document_id.in_(some)))
        found.update((row[0], Existing(*row[1:])) for row in rows)
    return found


async def hashes(transaction: Transaction, library_no: int, ids: Sequence[str]) -> dict[str, bytes]:
    """The content hashes of the documents that are there, by id."""
    wanted = select(DOCUMENTS.c.document_id, DOCUMENTS.c.content_hash).where(
        DOCUMENTS.c.library_no == library_no
    )
    found: dict[str, bytes] = {}
    for some in _chunks(ids):
        rows = await transaction.execute(wanted.where(DOCUMENTS.c.document_id.in_(some)))
        found.update((row[0], row[1]) for row in rows)
    return found


async def vectors_of(transaction: Transaction, library_no: int, ids: Sequence[str]) -> dict[str, Vector]:
    """The vectors of the documents that have one, by id."""
    columns = DOCUMENTS.c
    wanted = select(columns.document_id, columns.model_id, columns.vector).where(
        columns.library_no == library_no, columns.vector.is_not(None)
    )
    found: dict[str, Vector] = {}
    for some in _chunks(ids):
        rows = await transaction.execute(wanted.where(columns.document_id.in_(some)))
        found.update((row[0], Vector(row[1], row[2])) for row in rows)
    return found


async def write(
    transaction: Transaction,
    library_no: int,
    *,
    new: Sequence[DocumentRow],
    changed: Sequence[DocumentRow],
) -> None:
    """Adds documents, and gives those that are there another content."""
    for some in _chunks(new):
        await transaction.execute(insert(DOCUMENTS), [_values(library_no, row) for row in some])
    if changed:
        await transaction.execute(_UPDATE, [_update_values(library_no, row) for row in changed])
        await _delete_fields(transaction, library_no, [row.no for row in changed])
    fields = [
        field
        for row in (*new, *changed)
        if row.metadata
        for field in field_rows(row.no, library_no, row.metadata)
    ]
    for part in _chunks(fields):
        await transaction.execute(insert(FIELDS), part)


async def remove(transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
    """Removes documents."""
    await _delete_fields(transaction, library_no, nos)
    for some in _chunks(nos):
        await transaction.execute(
            delete(DOCUMENTS).where(DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.no.in_(some))
        )


async def keep_former(
    transaction: Transaction, library_no: int, nos: Sequence[int], *, pinned: int, until_revision: int
) -> None:
    """Copies the versions that are there and that exports of revision `pinned` or earlier may need."""
    names = [column.name for column in FORMER.c if column.name != "until_revision"]
    for some in _chunks(nos):
        source = select(*(DOCUMENTS.c[name] for name in names), literal(until_revision)).where(
            DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.no.in_(some), DOCUMENTS.c.revision <= pinned
        )
        await transaction.execute(insert(FORMER).from_select([*names, "until_revision"], source))


async def write_next_vectors(
    transaction: Transaction, library_no: int, model_id: str, vectors: Iterable[tuple[int, int, bytes | None]]
) -> None:
    """Keeps the vectors of a model to come: (no, revision, vector) each; of other revisions none is kept."""
    rows = [
        {
            "in_library": library_no,
            "at_no": no,
            "at_revision": revision,
            "to_model": model_id,
            "to_vector": data,
        }
        for no, revision, data in vectors
    ]
    if rows:
        await transaction.execute(_UPDATE_NEXT, rows)


async def adopt_next_vectors(transaction: Transaction, library_no: int, model_id: str) -> None:
    """Makes the vectors of the model to come those of the documents."""
    await transaction.execute(
        update(DOCUMENTS)
        .where(DOCUMENTS.c.library_no == library_no)
        .values(
            model_id=model_id,
            vector=DOCUMENTS.c.next_vector,
            next_model_id="",
            next_vector=sqlalchemy.null(),
        )
    )


async def _delete_fields(transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
    for some in _chunks(nos):
        await transaction.execute(
            delete(FIELDS).where(FIELDS.c.library_no == library_no, FIELDS.c.document_no.in_(some))
        )


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _content(row: DocumentRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "revision": row.revision,
        "content_hash": row.content_hash,
        "size_bytes": row.size_bytes,
        "text": row.text,
        "metadata": row.metadata_json,
        "model_id": row.vector.model_id if row.vector else "",
        "vector": row.vector.data if row.vector else None,
        "create_time": row.create_time,
        "update_time": row.update_time,
        "next_model_id": "",
        "next_vector": None,
    }


def _values(library_no: int, row: DocumentRow) -> dict[str, Any]:
    return {"library_no": library_no, "no": row.no, "document_id": row.document_id, **_content(row)}


def _update_values(library_no: int, row: DocumentRow) -> dict[str, Any]:
    return {
        "in_library": library_no,
        "at_no": row.no,
        **{f"to_{name}": value for name, value in _content(row).items()},
    }


_UPDATE = (
    update(DOCUMENTS)
    .where(DOCUMENTS.c.library_no == bindparam("in_library"), DOCUMENTS.c.no == bindparam("at_no"))
    .values(
        {
            name: bindparam(f"to_{name}", type_=DOCUMENTS.c[name].type)
            for name in (
                "version",
                "revision",
                "content_hash",
                "size_bytes",
                "text",
                "metadata",
                "model_id",
                "vector",
                "create_time",
                "update_time",
                "next_model_id",
                "next_vector",
            )
        }
    )
)
_UPDATE_NEXT = (
    update(DOCUMENTS)
    .where(
        DOCUMENTS.c.library_no == bindparam("in_library"),
        DOCUMENTS.c.no == bindparam("at_no"),
        DOCUMENTS.c.revision == bindparam("at_revision"),
    )
    .values(next_model_id=bindparam("to_model"), next_vector=bindparam("to_vector"))
)
