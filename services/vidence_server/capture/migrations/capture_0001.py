"""Sessions and their pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import UtcDateTime

revision = "capture_0001"
down_revision = None
branch_labels = ("capture",)
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "capture_sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime),
        sa.Column("record", sa.Text, nullable=False),
    )
    # Few sessions are open at a time: a start finds those of a dead process at once.
    is_open = sa.text("end_time IS NULL")
    op.create_index(
        "capture_sessions_open",
        "capture_sessions",
        ["expire_time"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("capture_sessions_by_end", "capture_sessions", ["end_time"])
    op.create_table(
        "capture_images",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("blob_id", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
    )
    op.create_index("capture_images_by_expiry", "capture_images", ["expire_time"])
