"""Words of texts and queries, and search by them: both databases beside BM25 as it is defined."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes.postgres import Home
from fakes.search import LIBRARY_MIGRATIONS, put_documents, put_library
from vidence_server.library.search.filter_sql import condition
from vidence_server.library.search.filters import Compare
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.search.words import MAX_WORDS, WordQuery, parse_query, words_of
from vidence_server.storage.database import Database, Transaction

pytestmark = pytest.mark.requirement("R-LI2")

TEXTS: Mapping[int, str] = {
    1: "Invoice 2026-004 from Müller & Söhne, total 12.50 EUR",
    2: "Reminder: the invoice of May is not paid. Invoice, please!",
    3: "A letter to Erika about her passport",
    4: "Passport of the Federal Republic; passport number C01X00T47",
    5: "東京都 旅券",
    6: "the the the the the",
    7: "",
    8: "Letter about an invoice that nobody paid, and about a passport that nobody has seen since the summer",
}


def bm25(texts: Mapping[int, str], query: str) -> list[tuple[int, float]]:
    """The definition, for single words."""
    words = {no: words_of(text) for no, text in texts.items()}
    mean = sum(map(len, words.values())) / len(words)
    scores: dict[int, float] = {}
    for word in parse_query(query).words:
        holders = [no for no in words if word in words[no]]
        idf = math.log((len(words) - len(holders) + 0.5) / (len(holders) + 0.5))
        for no in holders:
            times = words[no].count(word)
            norm = times + 1.2 * (1 - 0.75 + 0.75 * len(words[no]) / mean)
            scores[no] = scores.get(no, 0.0) + (idf if idf > 0 else 1e-6) * times * 2.2 / norm
    return sorted(scores.items(), key=lambda hit: (-round(hit[1], 9), hit[0]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Straße, ÀÉÎ\u0301 Œuvre_x", ["strasse", "aei", "œuvre", "x"]),
        ("ﬁne ①② Ⅷ", ["fine", "12", "viii"]),
        ("東京 tower2", ["東", "京", "tower2"]),
        ("हिन्दी, मैं", ["हिन्दी", "मैं"]),
        ("don't e-mail a@b.c", ["don", "t", "e", "mail", "a", "b", "c"]),
        ("x" * 70, ["x" * 64]),
        ("\0 \ud800 '\"*():^~", []),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_text_has_only_so_many_words() -> None:
    assert len(words_of("a " * (MAX_WORDS + 1))) == MAX_WORDS


@pytest.mark.parametrize(
    ("text", "any_of", "none_of"),
    [
        ("Invoice May", (("invoice",), ("may",)), ()),
        ('"Invoice of  May" paid', (("invoice", "of", "may"), ("paid",)), ()),
        ('invoice -paid -"per post"', (("invoice",),), (("paid",), ("per", "post"))),
        ("e-mail 12.50", (("e",), ("mail",), ("12",), ("50",)), ()),
        ("-e-mail", (), (("e", "mail"),)),
        ("a a A", (("a",),), ()),
        ('"open', (("open",),), ()),
        ('a"b c"', (("a",), ("b", "c")), ()),
        ('- -- "" -"" a OR b AND NOT (c* ^d NEAR/3 {x}: \'y\'', None, ()),
        ("", (), ()),
    ],
)
def test_a_query_is_what_a_user_typed(
    text: str, any_of: tuple[tuple[str, ...], ...] | None, none_of: tuple[tuple[str, ...], ...]
) -> None:
    plain = tuple((word,) for word in ["a", "or", "b", "and", "not", "c", "d", "near", "3", "x", "y"])
    assert parse_query(text) == WordQuery(plain if any_of is None else any_of, none_of)


@given(st.text() | st.text(alphabet="a-\" '*"))
@example("word " * 100)
def test_every_text_is_a_query_of_bounded_size(text: str) -> None:
    query = parse_query(text)
    assert sum(map(len, query.any_of + query.none_of)) <= 64
    assert all(words_of(word) == [word] for phrase in query.any_of for word in phrase)


@asynccontextmanager
async def opened(home: Home, *libraries: int) -> AsyncIterator[tuple[Database, LexicalIndex]]:
    """A database with libraries whose documents have the numbers of `TEXTS`, and no words yet."""
    async with home.database(LIBRARY_MIGRATIONS) as database:
        async with database.transaction() as transaction:
            for library_no in libraries:
                await put_library(transaction, library_no)
                await put_documents(transaction, library_no, list(TEXTS))
        yield database, LexicalIndex("postgresql" if home.shared else "sqlite")


async def hits(
    index: LexicalIndex, transaction: Transaction, text: str, *, library_no: int = 1, k: int = 100
) -> list[tuple[int, float]]:
    ids, scores = await index.search(transaction, library_no, text, k)
    return list(zip(ids.tolist(), scores.tolist(), strict=True))


def assert_equal(found: list[tuple[int, float]], right: list[tuple[int, float]]) -> None:
    assert [no for no, _ in found] == [no for no, _ in right]
    assert [score for _, score in found] == pytest.approx([score for _, score in right], rel=1e-5)


async def numbers(index: LexicalIndex, transaction: Transaction, text: str, library_no: int = 1) -> list[int]:
    return sorted(no for no, _ in await hits(index, transaction, text, library_no=library_no))


@pytest.mark.parametrize(
    "query",
    [
        "invoice",
        "INVOICE paid passport",
        "muller",
        "the",
        "東京",
        "c01x00t47 letter 2026",
        "nothing",
        "",
        "-paid",
        "?!",
    ],
)
async def test_hits_are_ranked_by_bm25(home: Home, query: str) -> None:
    async with opened(home, 1) as (database, index), database.transaction() as transaction:
        await index.add(transaction, 1, list(TEXTS.items()))
        found = await hits(index, transaction, query)
        assert_equal(found, bm25(TEXTS, query))
        assert await hits(index, transaction, query, k=1) == found[:1]


async def test_phrases_and_exclusions_choose_the_hits(home: Home) -> None:
    async with opened(home, 1) as (database, index), database.transaction() as transaction:
        await index.add(transaction, 1, list(TEXTS.items()))
        assert await numbers(index, transaction, '"about an invoice"') == [8]
        assert await numbers(index, transaction, '"invoice about"') == []
        assert await numbers(index, transaction, "invoice -paid") == [1]
        assert await numbers(index, transaction, 'passport -"of the"') == [3, 8]
        assert await numbers(index, transaction, '"東京" -zzz') == [5]


@pytest.mark.parametrize(
    "query", ["'", '"', "a' OR 'b", "words:invoice", "NEAR(invoice paid)", "invoice*", "%_\\", "\0"]
)
async def test_no_text_is_read_as_syntax(home: Home, query: str) -> None:
    async with opened(home, 1) as (database, index), database.transaction() as transaction:
        await index.add(transaction, 1, list(TEXTS.items()))
        assert_equal(await hits(index, transaction, query), bm25(TEXTS, query))


async def test_replaced_and_removed_texts_leave_no_trace(home: Home) -> None:
    async with opened(home, 1) as (database, index), database.transaction() as transaction:
        await index.add(transaction, 1, list(TEXTS.items()))
        await index.add(transaction, 1, [(1, "old"), (1, "a new invoice"), (9, "old"), (9, "summer invoice")])
        await index.remove(transaction, 1, [2, 2, 8, 77])
        left = {no: text for no, text in TEXTS.items() if no not in (2, 8)}
        left |= {1: "a new invoice", 9: "summer invoice"}
        await put_documents(transaction, 1, [9])
        for query in ("invoice", "old", "summer passport", "muller"):
            assert_equal(await hits(index, transaction, query), bm25(left, query))


async def test_a_library_does_not_show_in_the_scores_of_another(home: Home) -> None:
    async with opened(home, 1, 2) as (database, index), database.transaction() as transaction:
        await index.add(transaction, 1, list(TEXTS.items()))
        alone = await hits(index, transaction, "invoice")
        await index.add(transaction, 2, [(no, "invoice " * no) for no in TEXTS])
        assert await hits(index, transaction, "invoice") == alone
        await index.remove_library(transaction, 1)
        assert await hits(index, transaction, "invoice") == []
        assert len(await hits(index, transaction, "invoice", library_no=2)) == len(TEXTS)
        await index.remove_library(transaction, 1)
        await index.add(transaction, 1, [(3, "invoice")])
        assert await numbers(index, transaction, "invoice") == [3]


async def test_a_condition_keeps_the_scores_of_what_it_leaves(home: Home) -> None:
    async with opened(home) as (database, index), database.transaction() as transaction:
        await put_library(transaction, 1)
        await put_documents(transaction, 1, {no: {"even": no % 2 == 0} for no in TEXTS})
        await index.add(transaction, 1, list(TEXTS.items()))
        every = await hits(index, transaction, "invoice passport")
        wanted = condition(Compare("even", True, True), 1)
        ids, scores = await index.search(transaction, 1, "invoice passport", 100, wanted)
        assert list(zip(ids.tolist(), scores.tolist(), strict=True)) == [
            (no, score) for no, score in every if no % 2 == 0
        ]


async def test_words_are_kept_and_forgotten_with_their_transaction(home: Home) -> None:
    async with opened(home, 1) as (database, index):
        async with database.transaction() as transaction:
            await index.add(transaction, 1, [(1, "kept")])
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await index.add(transaction, 1, [(2, "kept")])
                raise ZeroDivisionError
        async with database.snapshot() as reading:
            assert await numbers(index, reading, "kept") == [1]
            assert await numbers(index, reading, "kept", library_no=5) == []


async def test_texts_of_any_length_and_script_are_kept(home: Home) -> None:
    long = "ab " * 20_000 + "zz"
    many = " ".join(f"\U00010400{number}" for number in range(20_000))
    async with opened(home, 1) as (database, index), database.transaction() as transaction:
        await index.add(
            transaction, 1, [(1, long), (2, many), (3, "x" * 100_000), (4, "\U0001fbf0 \u08a0 ꭰ")]
        )
        assert await numbers(index, transaction, "ab") == [1]
        assert await numbers(index, transaction, "zz") == []
        assert await numbers(index, transaction, "\U00010400999") == [2]
        assert await numbers(index, transaction, "x" * 64) == [3]
        assert await numbers(index, transaction, "\u08a0") == [4]
        assert await numbers(index, transaction, "ꭰ") == [4]
