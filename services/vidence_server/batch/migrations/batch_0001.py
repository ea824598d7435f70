"""Batches, items and the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import RowNumber, UtcDateTime

revision = "batch_0001"
down_revision = None
branch_labels = ("batch",)
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    _make_batches()
    _make_items()
    _make_queue()


def _make_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("total", "running", "succeeded", "failed", "cancelled", "retried")
        ),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("document_type", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("ephemeral", sa.Boolean, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("start_time", UtcDateTime),
        sa.Column("end_time", UtcDateTime),
        sa.Column("expire_time", UtcDateTime),
        sa.Column("first_result_time", UtcDateTime),
        sa.Column("work_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("tenant", "idempotency_key"),
    )
    op.create_index("batches_by_expiry", "batches", ["expire_time"])


def _make_items() -> None:
    op.create_table(
        "batch_items",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("batch_id", sa.String(64)),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("document_type", sa.String(64), nullable=False),
        sa.Column("pdf_page", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("blob_id", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("dead", sa.Boolean, nullable=False),
        sa.Column("failure", sa.Text),
        sa.Column("result", sa.LargeBinary),
        sa.Column("finish_token", sa.BigInteger, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime),
        sa.Column("expire_time", UtcDateTime),
        # Jobs have no batch; NULLs differ from each other.
        sa.UniqueConstraint("batch_id", "index"),
        sa.UniqueConstraint("tenant", "idempotency_key"),
    )
    jobs, dead = sa.text("batch_id IS NULL"), sa.text("dead")
    op.create_index(
        "jobs_by_tenant", "batch_items", ["tenant", "id"], sqlite_where=jobs, postgresql_where=jobs
    )
    op.create_index(
        "jobs_by_expiry", "batch_items", ["expire_time"], sqlite_where=jobs, postgresql_where=jobs
    )
    op.create_index(
        "batch_items_dead", "batch_items", ["tenant", "id"], sqlite_where=dead, postgresql_where=dead
    )


def _make_queue() -> None:
    op.create_table(
        "work_queue",
        sa.Column("position", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("item_id", sa.String(64), nullable=False, unique=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("available_time", UtcDateTime, nullable=False),
        sa.Column("worker_id", sa.String(64), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sqlite_autoincrement=True,
    )
    op.create_index("work_queue_turns", "work_queue", ["tenant", "token", "rank", "position"])
    op.create_index("work_queue_by_owner", "work_queue", ["owner"])
    # One row: the last token that was given. Tokens are never given twice.
    tokens = op.create_table("work_tokens", sa.Column("last", sa.BigInteger, nullable=False))
    op.bulk_insert(tokens, [{"last": 0}])
