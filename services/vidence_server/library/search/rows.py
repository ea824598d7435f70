"""The rows of an exact index: vectors that only grow, which of them count, and where an id is.

Searches read while one thread writes. So a state never changes once it is published: rows are written behind
its end, and what is taken away is taken away in a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from vidence_server.library.search.index import Ids, Vectors

RowNumbers: TypeAlias = npt.NDArray[np.int64]
Alive: TypeAlias = npt.NDArray[np.bool_]

_FIRST_BLOCK_ROWS = 1024
_LARGEST_BLOCK_BYTES = 64 << 20
_UNSORTED_ROWS = 4096
"""Rows that are looked through one by one, at least, before they are sorted in."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One state of the rows.

    Vectors lie in blocks, so that growing copies none; the first blocks double in size. Ids of the first rows
    are kept sorted as well; those behind them, an eighth of all at most, are looked through.
    """

    blocks: tuple[Vectors, ...]
    """float32 (capacity, D) each."""
    starts: tuple[int, ...]
    """Number of the first row of each block."""
    ids: Ids
    """int64 (≥ count,)."""
    alive: Alive
    """bool (count,): what can be found. An id has one such row at most."""
    live: int
    """How many can be found."""
    sorted_ids: Ids
    sorted_rows: RowNumbers

    @classmethod
    def none(cls, dimensions: int) -> Self:
        """No rows."""
        block = np.empty((_FIRST_BLOCK_ROWS, dimensions), np.float32)
        nothing = np.empty(0, np.int64)
        return cls(
            (block,), (0,), np.empty(_FIRST_BLOCK_ROWS, np.int64), np.empty(0, bool), 0, nothing, nothing
        )

    @property
    def count(self) -> int:
        """Rows, with those that cannot be found."""
        return len(self.alive)

    @property
    def capacity(self) -> int:
        """Rows for which there is memory."""
        return self.starts[-1] + len(self.blocks[-1])

    @property
    def size_bytes(self) -> int:
        """Memory of everything."""
        rest = self.ids.nbytes + self.alive.nbytes + self.sorted_ids.nbytes + self.sorted_rows.nbytes
        return rest + sum(block.nbytes for block in self.blocks)

    def rows_of(self, ids: Ids) -> RowNumbers:
        """The rows that can be found under these ids, in rising order.

        Args:
            ids: int64, sorted, each once.
        """
        places = np.searchsorted(self.sorted_ids, ids)
        # An id that was replaced before it was sorted in is there several times: one row at most is alive.
        ends = np.searchsorted(self.sorted_ids, ids, side="right")
        old = self.sorted_rows[_ranges(places, ends)]
        tail = self.ids[len(self.sorted_ids) : self.count]
        new = np.flatnonzero(np.isin(tail, ids)) + len(self.sorted_ids)
        rows = np.concatenate([old, new])
        return np.sort(rows[self.alive[rows]])

    def allowed(self, ids: Ids) -> Alive:
        """The rows that can be found under these ids, as bool (count,); for many ids."""
        return np.isin(self.ids[: self.count], ids) & self.alive

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, Vectors]]:
        """The vectors of a range of rows as views, each with the number of its first row."""
        for start, block in zip(self.starts, self.blocks, strict=True):
            low, high = max(first, start), min(last, start + len(block))
            if low < high:
                yield low, block[low - start : high - start]

    def vectors_of(self, rows: RowNumbers) -> Vectors:
        """float32 (N, D): copies of these rows, which rise."""
        borders = np.searchsorted(rows, (*self.starts, self.capacity))
        parts = [
            block[rows[low:high] - start]
            for start, block, low, high in zip(
                self.starts, self.blocks, borders[:-1], borders[1:], strict=True
            )
        ]
        return np.concatenate(parts)

    def with_added(self, ids: Ids, vectors: Vectors) -> Self:
        """These rows and more behind them; ids that can be found already are replaced.

        Args:
            ids: int64 (N,), sorted, each once.
            vectors: float32 (N, D).
        """
        kept = self.without(self.rows_of(ids)) if self.count else self
        grown = kept.with_room(self.count + len(ids))
        for start, piece in grown.pieces(self.count, self.count + len(ids)):
            piece[...] = vectors[start - self.count : start - self.count + len(piece)]
        grown.ids[self.count : self.count + len(ids)] = ids
        added = replace(
            grown,
            alive=np.concatenate([grown.alive, np.ones(len(ids), bool)]),
            live=grown.live + len(ids),
        )
        return added.sorted_in()

    def without(self, rows: RowNumbers) -> Self:
        """The same without these rows, all of which can be found now."""
        if not len(rows):
            return self
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive, live=self.live - len(rows))

    def compacted(self) -> Self:
        """What can be found, in the same order, in memory of its own."""
        rows = np.flatnonzero(self.alive)
        fresh = type(self).none(self.blocks[0].shape[1]).with_room(len(rows))
        for start, piece in fresh.pieces(0, len(rows)):
            piece[...] = self.vectors_of(rows[start : start + len(piece)])
        fresh.ids[: len(rows)] = self.ids[rows]
        return replace(fresh, alive=np.ones(len(rows), bool), live=len(rows)).sorted_in()

    def with_room(self, count: int) -> Self:
        """The same with memory for so many rows."""
        blocks, starts, capacity = list(self.blocks), list(self.starts), self.capacity
        dimensions = blocks[0].shape[1]
        largest = max(_FIRST_BLOCK_ROWS, _LARGEST_BLOCK_BYTES // (4 * dimensions))
        while capacity < count:
            block = np.empty((min(capacity, largest), dimensions), np.float32)
            blocks.append(block)
            starts.append(capacity)
            capacity += len(block)
        if capacity == self.capacity:
            return self
        ids = np.empty(capacity, np.int64)
        ids[: self.count] = self.ids[: self.count]
        return replace(self, blocks=tuple(blocks), starts=tuple(starts), ids=ids)

    def sorted_in(self) -> Self:
        """The same with all ids sorted, where many are not."""
        if self.count - len(self.sorted_ids) <= max(_UNSORTED_ROWS, self.count // 8):
            return self
        ids = self.ids[: self.count]
        rows = np.argsort(ids, kind="stable")
        return replace(self, sorted_ids=ids[rows], sorted_rows=rows)


def _ranges(starts: RowNumbers, ends: RowNumbers) -> RowNumbers:
    """The numbers of all ranges [start, end), one behind the other."""
    lengths = ends - starts
    if not lengths.any():
        return np.empty(0, np.int64)
    offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return offsets + np.arange(lengths.sum())
