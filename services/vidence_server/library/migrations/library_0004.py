"""SQLite: of which libraries the word index may still hold words of documents that are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "library_0004"
down_revision = "library_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table; what there is may hold such words, for a version before this one kept no record."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table("library_words_unmerged", sa.Column("library_no", sa.BigInteger, primary_key=True))
    op.execute("INSERT INTO library_words_unmerged (library_no) SELECT no FROM libraries")
