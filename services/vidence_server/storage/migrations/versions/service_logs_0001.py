"""The logs that a service keeps beside its state: one per batch, job, session or library."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import RowNumber

revision = "service_logs_0001"
down_revision = None
branch_labels = ("service_logs",)
depends_on = None


def upgrade() -> None:
    """Makes both tables."""
    op.create_table(
        "service_logs",
        # Never given twice: entries of a deleted log must not be taken for those of another.
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("oldest", sa.BigInteger, nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.Column("newest_time_ns", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.UniqueConstraint("tenant", "key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "service_log_entries",
        sa.Column("log_id", sa.BigInteger, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("service_log_entries_by_time", "service_log_entries", ["log_id", "time_ns"])
