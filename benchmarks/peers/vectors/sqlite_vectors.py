"""sqlite-vec, by apsw, in a file."""

from collections.abc import Sequence
from importlib.metadata import version

import apsw
import sqlite_vec

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import folder_bytes, options, serve


class SqliteVec:
    """One virtual table."""

    def __init__(self, path: str, dimensions: int) -> None:
        self.connection = apsw.Connection(path)
        self.connection.enable_load_extension(True)
        self.connection.load_extension(sqlite_vec.loadable_path())
        self.connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        self.connection.execute(
            f"CREATE VIRTUAL TABLE vectors USING vec0(id INTEGER PRIMARY KEY, "
            f"vector float[{dimensions}] distance_metric=cosine)"
        )

    def add(self, first: int, vectors: Vectors) -> None:
        """One transaction."""
        rows = ((first + place, vector.tobytes()) for place, vector in enumerate(vectors))
        with self.connection:
            self.connection.executemany("INSERT INTO vectors(id, vector) VALUES (?, ?)", rows)

    def finish(self) -> None:
        """Nothing to do."""

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        found = "SELECT id FROM vectors WHERE vector MATCH ? AND k = ? ORDER BY distance"
        return [no for (no,) in self.connection.execute(found, (query.tobytes(), k))]


if __name__ == "__main__":
    chosen = options()
    index = SqliteVec(str(chosen.folder / "vectors.db"), chosen.dimensions)
    serve(f"sqlite-vec {version('sqlite-vec')}", chosen, index, lambda: folder_bytes(chosen.folder))
