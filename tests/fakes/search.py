"""Documents in a library's database, put there without the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, insert

from vidence_server.library.search.filter_sql import field_rows
from vidence_server.library.search.filters import Metadata
from vidence_server.library.tables import DOCUMENTS, FIELDS, LIBRARIES
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.transaction import Transaction

LIBRARY_MIGRATIONS = Path(__file__).parents[2] / "services" / "vidence_server" / "library" / "migrations"
NOW = datetime(2026, 5, 4, 12, 30, 15, 250_000, UTC)


async def put_library(transaction: Transaction, library_no: int) -> None:
    """A row of `libraries` that says nothing."""
    given = {"no": library_no, "library_id": f"library-{library_no}", "tenant": "default"}
    await transaction.execute(insert(LIBRARIES), [_filled(LIBRARIES.columns, given)])


async def put_documents(
    transaction: Transaction, library_no: int, documents: Mapping[int, Metadata] | Iterable[int]
) -> None:
    """Rows of documents by number, with their metadata."""
    told = documents if isinstance(documents, Mapping) else {no: {} for no in documents}
    for no, metadata in told.items():
        given = {"library_no": library_no, "no": no, "document_id": f"document-{no}"}
        await transaction.execute(insert(DOCUMENTS), [_filled(DOCUMENTS.columns, given)])
        if rows := field_rows(no, library_no, metadata):
            await transaction.execute(insert(FIELDS), rows)


def _filled(columns: Iterable[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A whole row: zero, empty or now where nothing is given."""
    return {column.name: given.get(column.name, _empty(column)) for column in columns}


def _empty(column: Any) -> Any:
    if column.nullable:
        return None
    if isinstance(column.type, UtcDateTime):
        return NOW
    if isinstance(column.type, JSON):
        return {}
    return column.type.python_type()
