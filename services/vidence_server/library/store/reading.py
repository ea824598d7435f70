"""Rows of documents: what is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from json import dumps, loads
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from vidence_server.library.domain.documents import Document, Vector
from vidence_server.library.search.filter_sql import condition
from vidence_server.library.search.filters import Filter
from vidence_server.library.search.index import Ids
from vidence_server.library.tables import DOCUMENTS, FORMER
from vidence_server.storage.database import Transaction

_CONTENT = (
    "document_id",
    "version",
    "revision",
    "content_hash",
    "text",
    "metadata",
    "model_id",
    "vector",
    "create_time",
    "update_time",
)


class HitRow(NamedTuple):
    """What a hit tells of its document; a tuple, as thousands are made for one search."""

    document_id: str
    version: int
    metadata_json: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A document whose vector of the next model is to be made."""

    no: int
    revision: int
    text: str


async def one(transaction: Transaction, library_no: int, document_id: str) -> Document | None:
    """A document by its id."""
    wanted = select(*(DOCUMENTS.c[name] for name in _CONTENT)).where(
        DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.document_id == document_id
    )
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else _document(row)


async def page(
    transaction: Transaction, library_no: int, *, after_id: str, limit: int, wanted: Filter | None
) -> list[Document]:
    """The first documents after an id, by id, without their vectors."""
    names = [name for name in _CONTENT if name != "vector"]
    statement = (
        select(*(DOCUMENTS.c[name] for name in names), literal_column("NULL").label("vector"))
        .where(_allowed(library_no, wanted), DOCUMENTS.c.document_id > after_id)
        .order_by(DOCUMENTS.c.document_id)
        .limit(limit)
    )
    return [_document(row) for row in await transaction.execute(statement)]


async def snapshot_page(
    transaction: Transaction, library_no: int, *, revision: int, after_id: str, limit: int, with_vector: bool
) -> list[Document]:
    """The first documents after an id, by id, as they were at a revision that an export holds."""

    def part(table: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
        columns = [
            literal_column("NULL").label(name) if name == "vector" and not with_vector else table.c[name]
            for name in _CONTENT
        ]
        # Each side is cut before they are joined: neither is read to its end.
        some = (
            select(*columns)
            .where(table.c.library_no == library_no, table.c.document_id > after_id, *conditions)
            .order_by(table.c.document_id)
            .limit(limit)
            .subquery()
        )
        return select(*some.c)

    now = part(DOCUMENTS, DOCUMENTS.c.revision <= revision)
    former = part(FORMER, FORMER.c.revision <= revision, FORMER.c.until_revision > revision)
    joined = union_all(now, former).subquery()
    statement = select(*joined.c).order_by(joined.c.document_id).limit(limit)
    return [_document(row) for row in await transaction.execute(statement)]


async def filtered(transaction: Transaction, library_no: int, wanted: Filter) -> Ids:
    """The row numbers of the documents that a filter lets through, rising."""
    statement = select(DOCUMENTS.c.no).where(_allowed(library_no, wanted)).order_by(DOCUMENTS.c.no)
    found = (await transaction.execute(statement)).scalars().all()
    return np.fromiter(found, np.int64, len(found))


async def first_numbers(transaction: Transaction, library_no: int, limit: int, wanted: Filter | None) -> Ids:
    """The row numbers of the documents created first."""
    statement = (
        select(DOCUMENTS.c.no).where(_allowed(library_no, wanted)).order_by(DOCUMENTS.c.no).limit(limit)
    )
    found = (await transaction.execute(statement)).scalars().all()
    return np.fromiter(found, np.int64, len(found))


async def hits(
    transaction: Transaction, library_no: int, nos: Sequence[int], *, metadata: bool, text: bool
) -> dict[int, HitRow]:
    """What hits tell, by row number; without metadata and texts it is read from an index alone."""
    statement = _hits_statement(transaction.dialect, metadata=metadata, text=text)
    if transaction.dialect == "postgresql":
        rows = (await transaction.execute(statement, {"library": library_no, "nos": list(nos)})).all()
    else:
        rows = loads(
            (await transaction.execute(statement, {"library": library_no, "nos": dumps(nos)})).scalar_one()
        )
    return {no: HitRow(name, version, fields, content) for no, name, version, fields, content in rows}


@cache  # bound: eight of them. What is made once is compiled once, and found again by its identity
def _hits_statement(dialect: str, *, metadata: bool, text: bool) -> Select[Any]:
    columns = DOCUMENTS.c
    nothing: ColumnElement[Any] = literal_column("NULL")
    told: tuple[ColumnElement[Any], ...] = (
        columns.no,
        columns.document_id,
        columns.version,
        columns.metadata if metadata else nothing.label("metadata"),
        columns.text if text else nothing.label("text"),
    )
    own = columns.library_no == bindparam("library")
    # All numbers are one value of the statement, which costs less than one for each.
    if dialect == "postgresql":
        return select(*told).where(own, columns.no == any_(bindparam("nos", type_=ARRAY(BigInteger))))
    # Python's driver takes the interpreter's lock anew for each row of SQLite, and each time waits for up to
    # 5 ms while another thread works: a thousand hits are one row.
    nos = func.json_each(bindparam("nos", type_=Text)).table_valued("value")
    whole = select(func.json_group_array(func.json_array(*told)))
    return whole.where(own, columns.no.in_(select(nos.c.value)))


async def vectors(
    transaction: Transaction, library_no: int, *, after_no: int, since_revision: int, limit: int
) -> list[tuple[int, bytes]]:
    """(no, vector) of documents with vectors after a row number and changed after a revision, by number."""
    statement = (
        select(DOCUMENTS.c.no, DOCUMENTS.c.vector)
        .where(
            DOCUMENTS.c.library_no == library_no,
            DOCUMENTS.c.no > after_no,
            DOCUMENTS.c.vector.is_not(None),
        )
        .order_by(DOCUMENTS.c.no)
        .limit(limit)
    )
    if since_revision:
        statement = statement.where(DOCUMENTS.c.revision > since_revision)
    return [(row[0], row[1]) for row in await transaction.execute(statement)]


async def vector_count(transaction: Transaction, library_no: int) -> int:
    """Documents with vectors."""
    statement = select(func.count()).where(
        DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.vector.is_not(None)
    )
    return int((await transaction.execute(statement)).scalar_one())


async def pending(transaction: Transaction, library_no: int, model_id: str, limit: int) -> list[Pending]:
    """Documents that have no vector of the next model yet."""
    statement = (
        select(DOCUMENTS.c.no, DOCUMENTS.c.revision, DOCUMENTS.c.text)
        .where(DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.next_model_id != model_id)
        .order_by(DOCUMENTS.c.no)
        .limit(limit)
    )
    return [Pending(*row) for row in await transaction.execute(statement)]


async def pending_count(transaction: Transaction, library_no: int, model_id: str) -> int:
    """How many there are of them."""
    statement = select(func.count()).where(
        DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.next_model_id != model_id
    )
    return int((await transaction.execute(statement)).scalar_one())


def _allowed(library_no: int, wanted: Filter | None) -> ColumnElement[bool]:
    own = DOCUMENTS.c.library_no == library_no
    return own if wanted is None else and_(own, condition(wanted, library_no))


def _document(row: Row[Any]) -> Document:
    vector = Vector(row.model_id, row.vector) if row.vector is not None else None
    return Document(
        document_id=row.document_id,
        version=row.version,
        revision=row.revision,
        content_hash=row.content_hash,
        text=row.text,
        metadata_json=row.metadata,
        vector=vector,
        create_time=row.create_time,
        update_time=row.update_time,
    )
