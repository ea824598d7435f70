"""The tables of the library service, as its statements see them; `migrations` make them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from vidence_server.storage.column_types import RowNumber, UtcDateTime

_METADATA = MetaData()

CODE_POINTS = Text().with_variant(Text(collation="C"), "postgresql")
"""Texts that compare by code points in every database; SQLite does so anyway."""
IDS = String(256).with_variant(String(256, collation="C"), "postgresql")
"""Ids, in the order of their code points."""

LIBRARIES = Table(
    "libraries",
    _METADATA,
    Column("no", RowNumber, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("library_id", IDS, nullable=False),
    Column("uid", String(64), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("model_id", String(128), nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("index_kind", String(16), nullable=False),
    Column("next_model_id", String(128), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("last_document_no", BigInteger, nullable=False),
    Column("last_face_no", BigInteger, nullable=False),
    Column("document_count", BigInteger, nullable=False),
    Column("content_bytes", BigInteger, nullable=False),
    Column("face_count", BigInteger, nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
    Column("update_time", UtcDateTime, nullable=False),
)
"""`uid` names one life of a library: another one of the same id has another. `model_id` is empty where
documents have no vectors, `next_model_id` where no change of the model is under way."""


def _content() -> tuple[Column[object], ...]:
    return (
        Column("version", BigInteger, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("content_hash", LargeBinary(32), nullable=False),
        Column("size_bytes", BigInteger, nullable=False),
        Column("text", Text, nullable=False),
        Column("metadata", Text, nullable=False),
        Column("model_id", String(128), nullable=False),
        Column("vector", LargeBinary),
        Column("create_time", UtcDateTime, nullable=False),
        Column("update_time", UtcDateTime, nullable=False),
    )


DOCUMENTS = Table(
    "documents",
    _METADATA,
    Column("library_no", BigInteger, ForeignKey("libraries.no"), primary_key=True),
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("document_id", IDS, nullable=False),
    *_content(),
    Column("next_model_id", String(128), nullable=False),
    Column("next_vector", LargeBinary),
)
"""`no` counts within the library and stays when a document is updated. `revision` is the library's change
that made this version. `metadata` is JSON in the form of `domain.metadata`. `vector` is float32,
little-endian, of the model `model_id`; `next_vector` of the model that the library is changing to."""

FORMER = Table(
    "documents_former",
    _METADATA,
    Column("library_no", BigInteger, ForeignKey("libraries.no"), primary_key=True),
    Column("document_id", IDS, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("until_revision", BigInteger, nullable=False),
    *(column for column in _content() if column.name != "revision"),
)
"""Versions that are no more, as long as an export needs them: those with `revision` ≤ r < `until_revision`
were there at revision r."""

FIELDS = Table(
    "document_fields",
    _METADATA,
    Column("library_no", BigInteger, primary_key=True),
    Column("document_no", BigInteger, primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    Column("text_value", CODE_POINTS),
    Column("number_value", Float(53)),
    Column("integer_value", BigInteger),
)
"""The metadata of documents, one value a row, in the column of its kind (`search.filters.Kind`)."""

EXPORTS = Table(
    "library_exports",
    _METADATA,
    Column("export_id", String(64), primary_key=True),
    Column("library_no", BigInteger, ForeignKey("libraries.no"), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document_count", BigInteger, nullable=False),
    Column("expire_time", UtcDateTime, nullable=False),
)
"""Snapshots that exports read: while there is one, `documents_former` keeps what changes."""

FACES = Table(
    "faces",
    _METADATA,
    Column("library_no", BigInteger, ForeignKey("libraries.no"), primary_key=True),
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("face_id", IDS, nullable=False),
    Column("subject_id", IDS, nullable=False),
    Column("model_name", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("template", LargeBinary, nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
)
"""Face templates: float32, little-endian, of length 1."""
