"""Whose images are read: items and jobs are found by subject, to be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "batch_0004"
down_revision = "batch_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; earlier items name nobody."""
    op.add_column("batch_items", sa.Column("subject_id", sa.String(128), nullable=False, server_default=""))
    named = sa.text("subject_id <> ''")
    op.create_index(
        "batch_items_by_subject",
        "batch_items",
        ["tenant", "subject_id"],
        sqlite_where=named,
        postgresql_where=named,
    )
