"""Results go into libraries, and images are kept for a while after they were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vidence_server.storage.column_types import RowNumber, UtcDateTime

revision = "batch_0003"
down_revision = "batch_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, and the table of what waits for its library."""
    op.add_column("batches", sa.Column("library_id", sa.String(64), nullable=False, server_default=""))
    for name in ("filing", "filed", "unfiled"):
        op.add_column("batches", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("batch_items", sa.Column("library_id", sa.String(64), nullable=False, server_default=""))
    op.add_column("batch_items", sa.Column("filing_state", sa.String(16), nullable=False, server_default=""))
    op.add_column("batch_items", sa.Column("filing_failure", sa.Text))
    op.add_column("batch_items", sa.Column("image_expire_time", UtcDateTime))
    op.create_index("batch_items_by_image", "batch_items", ["image_expire_time"])
    op.create_table(
        "filings",
        sa.Column("position", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("item_id", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("library_id", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("available_time", UtcDateTime, nullable=False),
        sa.Column("give_up_time", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("filings_by_time", "filings", ["available_time"])
    op.create_index("filings_by_owner", "filings", ["owner"])
