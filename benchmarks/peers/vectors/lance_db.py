"""lancedb in a folder, without an index: its exact search."""

from collections.abc import Sequence
from importlib.metadata import version

import lancedb
import pyarrow as pa

from benchmarks.peers.vectors.data import Vectors
from benchmarks.peers.vectors.serving import folder_bytes, options, serve


class Lance:
    """One table."""

    def __init__(self, folder: str, dimensions: int) -> None:
        self.schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), dimensions))])
        self.table = lancedb.connect(folder).create_table("vectors", schema=self.schema)

    def add(self, first: int, vectors: Vectors) -> None:
        """One batch."""
        ids = pa.array(range(first, first + len(vectors)), pa.int64())
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        self.table.add(pa.table([ids, column], schema=self.schema))

    def finish(self) -> None:
        """Joins the files, which searches would otherwise open one by one."""
        self.table.optimize()

    def search(self, query: Vectors, k: int) -> Sequence[int]:
        """The best k."""
        found = self.table.search(query).distance_type("dot").select(["id", "_distance"]).limit(k).to_arrow()
        return found["id"].to_pylist()


if __name__ == "__main__":
    chosen = options()
    index = Lance(str(chosen.folder), chosen.dimensions)
    serve(f"lancedb {version('lancedb')}", chosen, index, lambda: folder_bytes(chosen.folder))
