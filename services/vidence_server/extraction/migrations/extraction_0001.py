"""Run records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import UtcDateTime

revision = "extraction_0001"
down_revision = None
branch_labels = ("extraction",)
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "extraction_runs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("document_type", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("start_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime),
        sa.Column("total_ms", sa.Integer),
        sa.Column("field_count", sa.Integer, nullable=False),
        sa.Column("invalid_field_count", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
    )
    op.create_index("extraction_runs_by_time", "extraction_runs", ["start_time"])
    # Few runs are open at a time: the index is small, and a start finds those of a dead process at once.
    is_open = sa.text("state = 'STARTED'")
    op.create_index(
        "extraction_runs_open",
        "extraction_runs",
        ["start_time"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
