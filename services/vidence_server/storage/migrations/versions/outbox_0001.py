"""The outbox, and what the bus refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import RowNumber, UtcDateTime

revision = "outbox_0001"
down_revision = None
branch_labels = ("outbox",)
depends_on = None


def upgrade() -> None:
    """Makes both tables."""
    for name in ("outbox", "outbox_refused"):
        op.create_table(
            name,
            sa.Column("position", RowNumber, primary_key=True, autoincrement=name == "outbox"),
            sa.Column("tenant", sa.String(64), nullable=False),
            sa.Column("source", sa.String(256), nullable=False),
            sa.Column("event_id", sa.String(128), nullable=False),
            sa.Column("type", sa.String(128), nullable=False),
            sa.Column("subject", sa.String(512), nullable=False),
            sa.Column("encoded", sa.LargeBinary, nullable=False),
            sa.Column("create_time", UtcDateTime, nullable=False),
            *([] if name == "outbox" else [sa.Column("reason", sa.String(64), nullable=False)]),
            # Numbers are never given twice, so that rows keep the order in which they came.
            sqlite_autoincrement=name == "outbox",
        )
