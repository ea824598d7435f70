"""Words of documents, for search; SQLite keeps them in tables of its own, made when a library needs one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "library_0002"
down_revision = "library_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "library_words",
        sa.Column("library_no", sa.BigInteger, primary_key=True),
        sa.Column("document_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("words", postgresql.TSVECTOR, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
    )
    op.create_index("library_words_by_word", "library_words", ["words"], postgresql_using="gin")
    op.create_table(
        "library_word_totals",
        sa.Column("library_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("documents", sa.BigInteger, nullable=False),
        sa.Column("words", sa.BigInteger, nullable=False),
    )
