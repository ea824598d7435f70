"""Which server a call's own batch belongs to: of several on one database, those of a dead one are deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "batch_0002"
down_revision = "batch_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; earlier batches of calls belong to nobody who lives."""
    op.add_column("batches", sa.Column("server", sa.String(64), nullable=False, server_default=""))
