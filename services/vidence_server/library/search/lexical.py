"""Search by words, ranked by BM25 (Robertson and Zaragoza, 2009), inside the database.

The score of a document is Σ over the words asked for of

    ln((N - n + 0.5) / (n + 0.5)) · f · (k1 + 1) / (f + k1 · (1 - b + b · length / mean length))

with k1 = 1.2 and b = 0.75; N documents in the library, n of them with the word, f times in this one. The
logarithm is 1e-6 where it would not be positive: a word that most have hardly counts. All counts are of one
library, so that nobody's documents show in another's scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from sqlalchemy import ColumnElement

from vidence_server.library.search.index import Ids, Scores
from vidence_server.library.search.words import WordQuery, parse_query
from vidence_server.library.search.words_postgresql import PostgresWords
from vidence_server.library.search.words_sqlite import SqliteWords
from vidence_server.storage.transaction import Transaction

Hits: TypeAlias = Sequence[tuple[int, float]]


class WordTable(Protocol):
    """How a database keeps words."""

    async def add(self, transaction: Transaction, library_no: int, rows: Sequence[tuple[int, str]]) -> None:
        """See `LexicalIndex.add`."""
        ...

    async def remove(self, transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
        """See `LexicalIndex.remove`."""
        ...

    async def remove_library(self, transaction: Transaction, library_no: int) -> None:
        """See `LexicalIndex.remove_library`."""
        ...

    async def unmerged(self, transaction: Transaction) -> Sequence[int]:
        """See `LexicalIndex.unmerged`."""
        ...

    async def merge(self, transaction: Transaction, library_no: int, pages: int) -> bool:
        """See `LexicalIndex.merge`."""
        ...

    async def search(
        self,
        transaction: Transaction,
        library_no: int,
        query: WordQuery,
        k: int,
        wanted: ColumnElement[bool] | None,
    ) -> Hits:
        """Numbers and scores, the best first, equal ones by number; the query asks for something."""
        ...


class LexicalIndex:
    """The words of all documents, changed and read in the transactions of those who keep the documents.

    SQLite keeps a full-text table per library (FTS5), PostgreSQL one table with a GIN index. Scores of a
    single word are the same in both; words of a phrase are weighed as one by SQLite and each alone by
    PostgreSQL.
    """

    def __init__(self, dialect: str) -> None:
        """The index of one kind of database.

        Args:
            dialect: `sqlite` or `postgresql`.
        """
        self._table: WordTable = PostgresWords() if dialect == "postgresql" else SqliteWords()

    async def add(self, transaction: Transaction, library_no: int, rows: Sequence[tuple[int, str]]) -> None:
        """Adds documents, number and text; one that is there is replaced, by the last of those given.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; so do the others.
        """
        if rows:
            await self._table.add(transaction, library_no, list(dict(rows).items()))

    async def remove(self, transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
        """Removes documents; numbers that are not there do not matter."""
        if nos:
            await self._table.remove(transaction, library_no, list(dict.fromkeys(nos)))

    async def remove_library(self, transaction: Transaction, library_no: int) -> None:
        """Removes everything of a library."""
        await self._table.remove_library(transaction, library_no)

    async def unmerged(self, transaction: Transaction) -> Sequence[int]:
        """Numbers of the libraries whose index may hold words of documents that were removed or replaced."""
        return await self._table.unmerged(transaction)

    async def merge(self, transaction: Transaction, library_no: int, pages: int) -> bool:
        """A step on the way to an index without such words; True: it has none any more.

        Args:
            transaction: Of this step alone: others write between the steps.
            library_no: Whose index.
            pages: How much the step may write, in pages of 4 KB, about. What others write meanwhile is to be
                merged too: so more at each step.
        """
        return await self._table.merge(transaction, library_no, pages)

    async def search(
        self,
        transaction: Transaction,
        library_no: int,
        text: str,
        k: int,
        wanted: ColumnElement[bool] | None = None,
    ) -> tuple[Ids, Scores]:
        """The documents that have the words.

        Args:
            transaction: Reads one state.
            library_no: Where to look.
            text: What a user typed; see `words.parse_query`.
            k: Most hits.
            wanted: A condition over `tables.DOCUMENTS` that they must meet, as `filter_sql.condition` makes
            it.

        Returns:
            numbers int64 (n,) and scores float32 (n,), n ≤ k; the highest first, equal ones by number.
        """
        query = parse_query(text)
        hits: Hits = ()
        if query.any_of:
            hits = await self._table.search(transaction, library_no, query, k, wanted)
        return np.array([no for no, _ in hits], np.int64), np.array([score for _, score in hits], np.float32)
