"""Reviews, notes, and who is there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import UtcDateTime

revision = "review_0001"
down_revision = None
branch_labels = ("review",)
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "reviews",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("claimed_by", sa.String(80)),
        sa.Column("claim_time", UtcDateTime),
        sa.Column("verdict", sa.String(16)),
        sa.Column("decided_by", sa.String(80)),
        sa.Column("decide_time", UtcDateTime),
        sa.Column("note_count", sa.Integer, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("update_time", UtcDateTime, nullable=False),
    )
    op.create_index("reviews_by_time", "reviews", ["tenant", "update_time", "subject"])
    op.create_table(
        "review_notes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("note_id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("reviewer", sa.String(80), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "review_attendants",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("attendance_id", sa.String(64), primary_key=True),
        sa.Column("reviewer", sa.String(80), nullable=False),
        sa.Column("since_time", UtcDateTime, nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
    )
    op.create_index("review_attendants_by_time", "review_attendants", ["expire_time"])
