"""The table of items, and how an item stands in its row."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
)

from vidence_server.batch.domain.batch import Item
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import Filing, FilingState, document_id_of
from vidence_server.batch.domain.states import ItemState
from vidence_server.core.errors import ErrorKind
from vidence_server.storage.column_types import UtcDateTime

ITEMS = Table(
    "batch_items",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("batch_id", String(64)),
    Column("index", Integer, nullable=False),
    Column("operation", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("run", Integer, nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("document_type", String(64), nullable=False),
    Column("pdf_page", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("blob_id", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("failure", Text),
    Column("result", LargeBinary),
    Column("finish_token", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("idempotency_key", String(128)),
    Column("create_time", UtcDateTime, nullable=False),
    Column("end_time", UtcDateTime),
    Column("expire_time", UtcDateTime),
    Column("library_id", String(64), nullable=False),
    Column("filing_state", String(16), nullable=False),
    Column("filing_failure", Text),
    Column("image_expire_time", UtcDateTime),
    Column("subject_id", String(128), nullable=False),
)
_PLAIN = (
    "id",
    "tenant",
    "batch_id",
    "index",
    "operation",
    "run",
    "file_name",
    "document_type",
    "pdf_page",
    "sha256",
    "size_bytes",
    "blob_id",
    "attempt",
    "max_attempts",
    "dead",
    "finish_token",
    "duration_ms",
    "create_time",
    "end_time",
    "expire_time",
    "library_id",
    "image_expire_time",
    "subject_id",
)


def item_of(row: Row[Any]) -> Item:
    """The item of a row; without its result where that was not asked for."""
    mapping = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for it: `index` is a method of tuples
    return Item(
        **{name: mapping[name] for name in _PLAIN},
        state=ItemState(row.state),
        failure=_failure(row.failure),
        result=mapping.get("result"),
        filing=_filing(row, mapping["index"]),
    )


def values_of(item: Item) -> dict[str, Any]:
    """What a row holds of an item."""
    return {name: getattr(item, name) for name in _PLAIN} | {
        "state": item.state.value,
        "failure": _failure_text(item.failure),
        "result": item.result,
        **filing_values_of(item),
    }


def filing_values_of(item: Item) -> dict[str, str | None]:
    """What a row holds of its way into the library."""
    filing = item.filing
    if filing is None:
        return {"filing_state": "", "filing_failure": None}
    return {"filing_state": filing.state.value, "filing_failure": _failure_text(filing.failure)}


def _filing(row: Row[Any], index: int) -> Filing | None:
    if not row.filing_state:
        return None
    return Filing(
        row.library_id,
        document_id_of(row.batch_id, index, row.id),
        FilingState(row.filing_state),
        _failure(row.filing_failure),
    )


def _failure_text(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return json.dumps([failure.reason, failure.kind.name, failure.message, dict(failure.metadata)])


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    reason, kind, message, metadata = json.loads(text)
    return Failure(reason, ErrorKind[kind], message, metadata)
