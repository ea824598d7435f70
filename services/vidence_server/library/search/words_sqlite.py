"""Words in SQLite: a full-text table (FTS5) per library, so that word statistics are the library's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    TableClause,
    and_,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
)

from vidence_server.library.search.words import Phrase, WordQuery, words_of
from vidence_server.library.tables import DOCUMENTS
from vidence_server.storage.transaction import Transaction

# Words come ready made, between blanks: everything that is no blank belongs to a word.
_TOKENIZER = "unicode61 remove_diacritics 0 categories ''L* M* N* P* S* C*''"
_AT_ONCE = 500
"""Numbers in one statement."""
_LEAST_CHANGES = 2
_UNMERGED = table("library_words_unmerged", column("library_no"))


class SqliteWords:
    """Tables `library_words_1`, `_2`, …, made when the first document is added.

    A table is five of SQLite's own, so thousands of libraries are fine and millions are not.

    What is removed stays in older segments of the index, with a mark that it is gone, until the segments are
    merged. That this is to be done is kept in the transaction that removes: no crash forgets it.
    """

    async def add(self, transaction: Transaction, library_no: int, rows: Sequence[tuple[int, str]]) -> None:
        """See `LexicalIndex.add`."""
        words = _table(library_no)
        if await _exists(transaction, words):
            await self.remove(transaction, library_no, [no for no, _ in rows])
        else:
            made = f"CREATE VIRTUAL TABLE {words.name} USING fts5(words, tokenize='{_TOKENIZER}')"
            await transaction.execute(text(made))
        added = [{"rowid": no, "words": " ".join(words_of(content))} for no, content in rows]
        await transaction.execute(insert(words), added)

    async def remove(self, transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
        """See `LexicalIndex.remove`."""
        words = _table(library_no)
        if not await _exists(transaction, words):
            return
        removed = 0
        for first in range(0, len(nos), _AT_ONCE):
            some = delete(words).where(words.c.rowid.in_(nos[first : first + _AT_ONCE]))
            removed += (await transaction.execute(some)).rowcount
        if removed:
            await transaction.execute(
                insert(_UNMERGED).prefix_with("OR IGNORE").values(library_no=library_no)
            )

    async def remove_library(self, transaction: Transaction, library_no: int) -> None:
        """See `LexicalIndex.remove_library`."""
        await transaction.execute(text(f"DROP TABLE IF EXISTS {_table(library_no).name}"))
        await self._merged(transaction, library_no)

    async def unmerged(self, transaction: Transaction) -> Sequence[int]:
        """See `LexicalIndex.unmerged`."""
        found = await transaction.execute(select(_UNMERGED.c.library_no).order_by(_UNMERGED.c.library_no))
        return found.scalars().all()

    async def merge(self, transaction: Transaction, library_no: int, pages: int) -> bool:
        """See `LexicalIndex.merge`."""
        words = _table(library_no)
        if await _exists(transaction, words):
            before = await _total_changes(transaction)
            # Negative: all segments become one, as by 'optimize', so many pages at a time.
            asked = f"INSERT INTO {words.name}({words.name}, rank) VALUES ('merge', {-pages:d})"  # noqa: S608 - a name of ours
            await transaction.execute(text(asked))
            # The documentation of FTS5: less than 2 say that there was nothing left to merge.
            if await _total_changes(transaction) - before >= _LEAST_CHANGES:
                return False
        await self._merged(transaction, library_no)
        return True

    async def _merged(self, transaction: Transaction, library_no: int) -> None:
        await transaction.execute(delete(_UNMERGED).where(_UNMERGED.c.library_no == library_no))

    async def search(
        self,
        transaction: Transaction,
        library_no: int,
        query: WordQuery,
        k: int,
        wanted: ColumnElement[bool] | None,
    ) -> Sequence[tuple[int, float]]:
        """See `WordTable.search`."""
        words = _table(library_no)
        if not await _exists(transaction, words):
            return []
        whole: ColumnElement[Any] = literal_column(words.name)
        score = -func.bm25(whole)
        found = select(words.c.rowid, score).where(whole.op("MATCH")(_match(query)))
        if wanted is not None:
            kept = and_(DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.no == words.c.rowid)
            found = found.join(DOCUMENTS, kept).where(wanted)
        rows = await transaction.execute(found.order_by(score.desc(), words.c.rowid).limit(k))
        return [(no, value) for no, value in rows]


def _table(library_no: int) -> TableClause:
    return table(f"library_words_{library_no:d}", column("rowid"), column("words"))


async def _exists(transaction: Transaction, words: TableClause) -> bool:
    schema = table("sqlite_master", column("name"))  # the name that every version knows
    found = await transaction.execute(select(schema.c.name).where(schema.c.name == words.name))
    return found.first() is not None


async def _total_changes(transaction: Transaction) -> int:
    """Rows that this connection has changed, those of the index's own tables too."""
    return int((await transaction.execute(select(func.total_changes()))).scalar_one())


def _match(query: WordQuery) -> str:
    """In the syntax of FTS5; a word in quotes has no meaning of its own, and words hold no quotes."""
    asked = f"({' OR '.join(map(_phrase, query.any_of))})"
    return " NOT ".join([asked, *map(_phrase, query.none_of)])


def _phrase(words: Phrase) -> str:
    return f'"{" ".join(words)}"'
