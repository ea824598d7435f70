"""Purges and their receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import UtcDateTime

revision = "erasure_0001"
down_revision = None
branch_labels = ("erasure",)
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "purges",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject_digest", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(128), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("complete_time", UtcDateTime),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("receipt_hash", sa.String(64), nullable=False),
    )
    op.create_index("purges_by_subject", "purges", ["tenant", "subject_digest", "id"])
    op.create_index("purges_by_state", "purges", ["state", "complete_time"])
