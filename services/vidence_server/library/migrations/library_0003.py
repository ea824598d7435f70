"""What hits tell of their documents in an index of its own: rows are long, they hold texts and vectors."""

from __future__ import annotations

from alembic import op

revision = "library_0003"
down_revision = "library_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the index; takes some seconds for a million documents."""
    op.create_index("documents_by_no", "documents", ["library_no", "no", "document_id", "version"])
