"""Rows of libraries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Row, bindparam, delete, func, select, update

from vidence_server.library.domain.libraries import Embedding, Library, LibrarySpec
from vidence_server.library.search.index import IndexKind
from vidence_server.library.tables import DOCUMENTS, EXPORTS, FACES, FIELDS, FORMER, LIBRARIES
from vidence_server.storage.database import Transaction

_BY_ID = select(LIBRARIES).where(
    LIBRARIES.c.tenant == bindparam("of_tenant"), LIBRARIES.c.library_id == bindparam("of_id")
)


@dataclass(frozen=True, slots=True)
class Totals:
    """All libraries of a tenant together."""

    libraries: int
    documents: int
    faces: int


@dataclass(frozen=True, slots=True)
class Growth:
    """How a change moves a library's numbers."""

    revision: int
    """Its revision afterwards."""
    documents: int = 0
    content_bytes: int = 0
    faces: int = 0
    last_document_no: int | None = None
    """None: as before."""
    last_face_no: int | None = None


async def find(
    transaction: Transaction, tenant: str, library_id: str, *, lock: bool = False
) -> Library | None:
    """A library by its id; with `lock` no other transaction changes it until this one ends."""
    wanted = _BY_ID.with_for_update() if lock else _BY_ID
    row = (await transaction.execute(wanted, {"of_tenant": tenant, "of_id": library_id})).one_or_none()
    return None if row is None else _library(row)


async def find_no(transaction: Transaction, no: int, *, lock: bool = False) -> Library | None:
    """A library by its row number; with `lock` as `find`."""
    wanted = select(LIBRARIES).where(LIBRARIES.c.no == no)
    row = (await transaction.execute(wanted.with_for_update() if lock else wanted)).one_or_none()
    return None if row is None else _library(row)


async def page(transaction: Transaction, tenant: str, *, after_id: str, limit: int) -> list[Library]:
    """The first libraries after an id, by id."""
    wanted = (
        select(LIBRARIES)
        .where(LIBRARIES.c.tenant == tenant, LIBRARIES.c.library_id > after_id)
        .order_by(LIBRARIES.c.library_id)
        .limit(limit)
    )
    return [_library(row) for row in await transaction.execute(wanted)]


async def changing_model(transaction: Transaction) -> list[Library]:
    """The libraries whose vectors are being changed to another model."""
    found = await transaction.execute(select(LIBRARIES).where(LIBRARIES.c.next_model_id != ""))
    return [_library(row) for row in found]


async def totals(transaction: Transaction, tenant: str) -> Totals:
    """The numbers of all libraries."""
    wanted = select(
        func.count(),
        func.coalesce(func.sum(LIBRARIES.c.document_count), 0),
        func.coalesce(func.sum(LIBRARIES.c.face_count), 0),
    ).where(LIBRARIES.c.tenant == tenant)
    return Totals(*map(int, (await transaction.execute(wanted)).one()))


async def insert(transaction: Transaction, tenant: str, uid: str, spec: LibrarySpec, now: datetime) -> int:
    """Makes a library; gives its row number.

    Raises:
        IntegrityError: There is one of this id.
    """
    counts = (
        "revision",
        "last_document_no",
        "last_face_no",
        "document_count",
        "content_bytes",
        "face_count",
    )
    made = await transaction.execute(
        sqlalchemy.insert(LIBRARIES).values(
            tenant=tenant,
            library_id=spec.library_id,
            uid=uid,
            display_name=spec.display_name,
            labels=dict(spec.labels),
            model_id=spec.embedding.model_id if spec.embedding else "",
            dimensions=spec.embedding.dimensions if spec.embedding else 0,
            index_kind=spec.index_kind.value,
            next_model_id="",
            create_time=now,
            update_time=now,
            **dict.fromkeys(counts, 0),
        )
    )
    key = made.inserted_primary_key
    if key is None:
        raise RuntimeError("an insert tells the row's key")
    return int(key[0])


async def change(transaction: Transaction, no: int, values: dict[str, Any]) -> None:
    """Sets columns of a library."""
    await transaction.execute(update(LIBRARIES).where(LIBRARIES.c.no == no).values(**values))


async def grow(transaction: Transaction, no: int, growth: Growth) -> None:
    """Moves a library's numbers."""
    values: dict[str, Any] = {
        "revision": growth.revision,
        "document_count": LIBRARIES.c.document_count + growth.documents,
        "content_bytes": LIBRARIES.c.content_bytes + growth.content_bytes,
        "face_count": LIBRARIES.c.face_count + growth.faces,
    }
    if growth.last_document_no is not None:
        values["last_document_no"] = growth.last_document_no
    if growth.last_face_no is not None:
        values["last_face_no"] = growth.last_face_no
    await transaction.execute(update(LIBRARIES).where(LIBRARIES.c.no == no).values(**values))


async def last_numbers(transaction: Transaction, no: int) -> tuple[int, int]:
    """The last row numbers given to a document and to a face of a library."""
    wanted = select(LIBRARIES.c.last_document_no, LIBRARIES.c.last_face_no).where(LIBRARIES.c.no == no)
    row = (await transaction.execute(wanted)).one()
    return int(row[0]), int(row[1])


async def remove(transaction: Transaction, no: int) -> None:
    """Removes a library with everything that it has in these tables."""
    for table in (FIELDS, FORMER, DOCUMENTS, EXPORTS, FACES):
        await transaction.execute(delete(table).where(table.c.library_no == no))
    await transaction.execute(delete(LIBRARIES).where(LIBRARIES.c.no == no))


def _library(row: Row[Any]) -> Library:
    embedding = Embedding(row.model_id, row.dimensions) if row.model_id else None
    return Library(
        no=row.no,
        tenant=row.tenant,
        uid=row.uid,
        spec=LibrarySpec(
            library_id=row.library_id,
            display_name=row.display_name,
            labels=row.labels,
            embedding=embedding,
            index_kind=IndexKind(row.index_kind),
        ),
        next_model_id=row.next_model_id,
        revision=row.revision,
        document_count=row.document_count,
        content_bytes=row.content_bytes,
        face_count=row.face_count,
        create_time=row.create_time,
        update_time=row.update_time,
    )
