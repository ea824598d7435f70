"""Libraries, documents, faces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import RowNumber, UtcDateTime

revision = "library_0001"
down_revision = None
branch_labels = ("library",)
depends_on = None

_CODE_POINTS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_IDS = sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the tables."""
    _make_libraries()
    _make_documents()
    _make_former()
    _make_fields()
    _make_exports()
    _make_faces()


def _make_libraries() -> None:
    op.create_table(
        "libraries",
        sa.Column("no", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("library_id", _IDS, nullable=False),
        sa.Column("uid", sa.String(64), nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("model_id", sa.String(128), nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
        sa.Column("index_kind", sa.String(16), nullable=False),
        sa.Column("next_model_id", sa.String(128), nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in (
                "revision",
                "last_document_no",
                "last_face_no",
                "document_count",
                "content_bytes",
                "face_count",
            )
        ),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("update_time", UtcDateTime, nullable=False),
        # A number is never given twice: what a deleted library left in memory cannot be taken for another's.
        sqlite_autoincrement=True,
    )
    op.create_index("libraries_by_id", "libraries", ["tenant", "library_id"], unique=True)


def _content() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("model_id", sa.String(128), nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("update_time", UtcDateTime, nullable=False),
    )


def _make_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("library_no", sa.BigInteger, sa.ForeignKey("libraries.no"), primary_key=True),
        sa.Column("no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("document_id", _IDS, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        *_content(),
        sa.Column("next_model_id", sa.String(128), nullable=False),
        sa.Column("next_vector", sa.LargeBinary),
    )
    op.create_index("documents_by_id", "documents", ["library_no", "document_id"], unique=True)
    op.create_index("documents_by_revision", "documents", ["library_no", "revision"])


def _make_former() -> None:
    op.create_table(
        "documents_former",
        sa.Column("library_no", sa.BigInteger, sa.ForeignKey("libraries.no"), primary_key=True),
        sa.Column("document_id", _IDS, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until_revision", sa.BigInteger, nullable=False),
        *_content(),
    )


def _make_fields() -> None:
    op.create_table(
        "document_fields",
        sa.Column("library_no", sa.BigInteger, primary_key=True),
        sa.Column("document_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("text_value", _CODE_POINTS),
        sa.Column("number_value", sa.Float(53)),
        sa.Column("integer_value", sa.BigInteger),
    )
    for column in ("text_value", "number_value", "integer_value"):
        # Only rows that have such a value: the three indexes together hold each row once.
        present = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"document_fields_by_{column.removesuffix('_value')}",
            "document_fields",
            ["library_no", "key", column, "document_no"],
            sqlite_where=present,
            postgresql_where=present,
        )


def _make_exports() -> None:
    op.create_table(
        "library_exports",
        sa.Column("export_id", sa.String(64), primary_key=True),
        sa.Column("library_no", sa.BigInteger, sa.ForeignKey("libraries.no"), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("document_count", sa.BigInteger, nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
    )
    op.create_index("library_exports_by_library", "library_exports", ["library_no", "expire_time"])


def _make_faces() -> None:
    op.create_table(
        "faces",
        sa.Column("library_no", sa.BigInteger, sa.ForeignKey("libraries.no"), primary_key=True),
        sa.Column("no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("face_id", _IDS, nullable=False),
        sa.Column("subject_id", _IDS, nullable=False),
        sa.Column("model_name", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("template", sa.LargeBinary, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
    )
    op.create_index("faces_by_id", "faces", ["library_no", "face_id"], unique=True)
    op.create_index("faces_by_subject", "faces", ["library_no", "subject_id"])
    op.create_index("faces_by_model", "faces", ["library_no", "model_name", "model_version", "no"])
