"""Appearances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import UtcDateTime

revision = "monitor_0001"
down_revision = None
branch_labels = ("monitor",)
depends_on = None


def upgrade() -> None:
    """Makes the table; few appearances are open at a time, and a start closes those of a dead process."""
    op.create_table(
        "monitor_appearances",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("monitor", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("first_seen_time", UtcDateTime, nullable=False),
        sa.Column("last_seen_time", UtcDateTime, nullable=False),
    )
    op.create_index("monitor_appearances_by_time", "monitor_appearances", ["first_seen_time"])
    is_open = sa.text("reason = ''")
    op.create_index(
        "monitor_appearances_open",
        "monitor_appearances",
        ["first_seen_time"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
