"""Whose sessions are: found by subject, to be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "capture_0002"
down_revision = "capture_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; earlier sessions name nobody."""
    op.add_column(
        "capture_sessions", sa.Column("subject_id", sa.String(128), nullable=False, server_default="")
    )
    named = sa.text("subject_id <> ''")
    op.create_index(
        "capture_sessions_by_subject",
        "capture_sessions",
        ["tenant", "subject_id"],
        sqlite_where=named,
        postgresql_where=named,
    )
    op.create_index("capture_images_by_session", "capture_images", ["session_id"])
