"""Words in PostgreSQL: one table with a text search vector per document, and the totals of each library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR
from sqlalchemy.dialects.postgresql import insert as upsert

from vidence_server.library.search.words import Phrase, WordQuery, words_of
from vidence_server.library.tables import DOCUMENTS
from vidence_server.storage.transaction import Transaction

_WORDS = table(
    "library_words", column("library_no"), column("document_no"), column("words"), column("length")
)
_TOTALS = table("library_word_totals", column("library_no"), column("documents"), column("words"))
_MOST_PLACES = 256
"""Places of one word in one text, as PostgreSQL keeps them."""
_K1 = 1.2
_B = 0.75
_LEAST_WEIGHT = 1e-6


class PostgresWords:
    """Tables `library_words` and `library_word_totals`; see migration `library_0002`."""

    async def add(self, transaction: Transaction, library_no: int, rows: Sequence[tuple[int, str]]) -> None:
        """See `LexicalIndex.add`."""
        await self.remove(transaction, library_no, [no for no, _ in rows])
        texts = [(no, words_of(text)) for no, text in rows]
        added = [
            {"library_no": library_no, "document_no": no, "vector": _vector(words), "length": len(words)}
            for no, words in texts
        ]
        vector = cast(bindparam("vector", type_=String), TSVECTOR)
        await transaction.execute(insert(_WORDS).values(words=vector), added)
        await _count(transaction, library_no, len(added), sum(len(words) for _, words in texts))

    async def remove(self, transaction: Transaction, library_no: int, nos: Sequence[int]) -> None:
        """See `LexicalIndex.remove`."""
        chosen = _WORDS.c.document_no == any_(literal(list(nos), ARRAY(BigInteger)))
        gone = delete(_WORDS).where(_WORDS.c.library_no == library_no, chosen).returning(_WORDS.c.length)
        lengths = (await transaction.execute(gone)).scalars().all()
        if lengths:
            await _count(transaction, library_no, -len(lengths), -sum(lengths))

    async def remove_library(self, transaction: Transaction, library_no: int) -> None:
        """See `LexicalIndex.remove_library`."""
        for rows in (_WORDS, _TOTALS):
            await transaction.execute(delete(rows).where(rows.c.library_no == library_no))

    async def unmerged(self, transaction: Transaction) -> Sequence[int]:
        """See `LexicalIndex.unmerged`: none, rows that were removed are the business of VACUUM."""
        del transaction
        return ()

    async def merge(self, transaction: Transaction, library_no: int, pages: int) -> bool:
        """See `LexicalIndex.merge`."""
        del transaction, library_no, pages
        return True

    async def search(
        self,
        transaction: Transaction,
        library_no: int,
        query: WordQuery,
        k: int,
        wanted: ColumnElement[bool] | None,
    ) -> Sequence[tuple[int, float]]:
        """See `WordTable.search`."""
        found = _scored(_counted(library_no, query), library_no)
        if wanted is not None:
            found = found.where(wanted)
        rows = await transaction.execute(found.limit(k))
        return [(no, value) for no, value in rows]


def _counted(library_no: int, query: WordQuery) -> CTE:
    """How often each word is in each document that has one of them, and whether the document is a hit."""
    single = [(word,) for word in sorted(query.words)]
    is_hit: ColumnElement[bool] = _WORDS.c.words.op("@@")(_any_of(query.any_of))
    if query.none_of:
        is_hit = and_(is_hit, ~_WORDS.c.words.op("@@")(_any_of(query.none_of)))
    found = func.unnest(_WORDS.c.words).table_valued("lexeme", "positions", "weights").lateral("found")
    return (
        select(
            _WORDS.c.document_no,
            _WORDS.c.length,
            found.c.lexeme,
            func.cardinality(found.c.positions).label("times"),
            is_hit.label("is_hit"),
        )
        .select_from(_WORDS.join(found, found.c.lexeme == any_(literal(sorted(query.words), ARRAY(Text)))))
        .where(_WORDS.c.library_no == library_no, _WORDS.c.words.op("@@")(_any_of(single)))
        .cte("counted")
    )


def _scored(counted: CTE, library_no: int) -> Select[tuple[int, float]]:
    """BM25, as `lexical` states it; joined with the documents, so that a condition can be added."""
    holders = select(counted.c.lexeme, func.count().label("n")).group_by(counted.c.lexeme).cte("holders")
    mean = cast(_TOTALS.c.words, Double) / _TOTALS.c.documents
    rarity = func.ln((_TOTALS.c.documents - holders.c.n + 0.5) / (holders.c.n + cast(0.5, Double)))
    weight = case((rarity > 0, rarity), else_=_LEAST_WEIGHT)
    times = cast(counted.c.times, Double)
    saturated = times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * counted.c.length / mean))
    score = func.sum(weight * saturated, type_=Double)
    document = and_(DOCUMENTS.c.library_no == library_no, DOCUMENTS.c.no == counted.c.document_no)
    return (
        select(counted.c.document_no, score)
        .select_from(
            counted.join(holders, holders.c.lexeme == counted.c.lexeme)
            .join(_TOTALS, _TOTALS.c.library_no == library_no)
            .join(DOCUMENTS, document)
        )
        .where(counted.c.is_hit)
        .group_by(counted.c.document_no)
        .order_by(score.desc(), counted.c.document_no)
    )


def _any_of(phrases: Sequence[Phrase]) -> ColumnElement[Any]:
    """A tsquery; words are letters and digits, so quotes hold them."""
    told = " | ".join("(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in phrases)
    return cast(literal(told, String), TSQUERY)


def _vector(words: Sequence[str]) -> str:
    """The words with their places as PostgreSQL writes a tsvector."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words, 1):
        if len(places[word]) < _MOST_PLACES - 1:
            places[word].append(place)
    return " ".join(f"'{word}':{','.join(map(str, some))}" for word, some in places.items())


async def _count(transaction: Transaction, library_no: int, documents: int, words: int) -> None:
    """Keeps the totals of a library right."""
    row = {"library_no": library_no, "documents": documents, "words": words}
    added = upsert(_TOTALS).values(row)
    summed = {
        "documents": _TOTALS.c.documents + added.excluded.documents,
        "words": _TOTALS.c.words + added.excluded.words,
    }
    await transaction.execute(added.on_conflict_do_update(index_elements=["library_no"], set_=summed))
