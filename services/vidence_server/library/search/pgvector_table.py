"""Where vectors stand in PostgreSQL: one table for all, and graphs (HNSW), each of a library and model."""

from __future__ import annotations

from sqlalchemy import text

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction

_TABLE = """CREATE TABLE IF NOT EXISTS library_vectors (
    library_no BIGINT NOT NULL, model VARCHAR(128) NOT NULL, no BIGINT NOT NULL, embedding vector NOT NULL,
    PRIMARY KEY (library_no, model, no))"""


async def make_table(transaction: Transaction) -> None:
    """Makes extension and table where they are missing.

    Raises:
        DomainError: CONFIGURATION_INVALID where the server has no pgvector.
    """
    await transaction.serialise("library_vectors")
    if (await transaction.execute(text("SELECT to_regtype('vector') IS NULL"))).scalar_one():
        found = await transaction.execute(text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))
        if found.scalar_one_or_none() is None:
            raise DomainError(Reason.CONFIGURATION_INVALID, "The database server has no pgvector.")
        await transaction.execute(text("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public"))
    await transaction.execute(text(_TABLE))


async def remove_library(transaction: Transaction, library_no: int) -> None:
    """Removes all vectors of a library, of every model, and its graphs."""
    await make_table(transaction)
    await transaction.execute(
        text("DELETE FROM library_vectors WHERE library_no = :library"), {"library": library_no}
    )
    graphs = await transaction.execute(
        text(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() "
            "AND tablename = 'library_vectors' AND starts_with(indexname, :prefix)"
        ),
        {"prefix": graph_prefix(library_no)},
    )
    for name in graphs.scalars().all():
        await transaction.execute(text(f'DROP INDEX "{name}"'))


def graph_prefix(library_no: int) -> str:
    """How the names of a library's graphs begin."""
    return f"library_vectors_{library_no}_"
