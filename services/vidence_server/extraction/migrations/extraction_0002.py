"""Who has a run: of several processes on one database, those of a dead one are told from the others'."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "extraction_0002"
down_revision = "extraction_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; earlier runs belong to nobody."""
    op.add_column("extraction_runs", sa.Column("instance", sa.String(64), nullable=False, server_default=""))
