from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.event import EventHeader
from vidence_server.event.domain.filters import EventFilter
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.store.index import EventIndex
from vidence_server.event.store.plan import Range, newest_of_kinds
from vidence_server.event.store.search import EventSearch, Found, connect, find

LOG = 3
TYPES = ("document.extracted", "extraction.failed", "library.created", "Batch.completed", "session.started")
SOURCES = ("vidence/extraction", "vidence/batch", "https://example.com/till/7", "Österreich/kasse")
PARENTS = ("libraries/passports/", "libraries/visas/", "sessions/", "")
MANY = 100_000


class Record(NamedTuple):
    offset: int
    key: EventHeader


def some_header(chance: random.Random, offset: int) -> EventHeader:
    attributes = {"country": chance.choice(["PHL", "DEU"])} if chance.random() < 0.5 else {}
    return EventHeader(
        source=chance.choice(SOURCES),
        id=f"evt-{offset:08d}",
        type=chance.choice(TYPES),
        subject=chance.choice(PARENTS) + str(chance.randrange(1000)),
        severity=chance.choice([2, 2, 2, 3, 4]),
        attributes=attributes | ({"batch": str(offset % 100)} if offset % 3 == 0 else {}),
    )


@dataclass
class Store:
    """An index and what is in it."""

    path: Path
    writing: sqlite3.Connection
    reading: sqlite3.Connection
    index: EventIndex = field(default_factory=EventIndex)
    headers: dict[int, EventHeader] = field(default_factory=dict)

    def insert(self, records: list[Record]) -> None:
        self.writing.execute("BEGIN")
        self.index.insert(self.writing, LOG, records)
        self.writing.execute("COMMIT")
        self.headers.update(records)

    def expected(self, query: EventQuery, place: Range) -> list[int]:
        return [
            offset
            for offset in sorted(self.headers, reverse=True)
            if place.after < offset < place.before and query.matches(self.headers[offset])
        ]

    def exact(self, query: EventQuery, found: Found) -> list[int]:
        return [offset for offset in found.offsets if query.matches(self.headers[offset])]

    def find(self, query: EventQuery, place: Range, limit: int = 50, scan_limit: int = 1 << 20) -> Found:
        return find(self.reading, query, place, limit=limit, scan_limit=scan_limit)


def open_store(folder: Path) -> Store:
    path = folder / "event.db"
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("PRAGMA journal_mode = WAL")
    store = Store(path, writing, reading=writing)
    store.index.create(writing)
    store.reading = connect(path)
    return store


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A hundred thousand events."""
    store = open_store(tmp_path_factory.mktemp("index"))
    chance = random.Random(7)
    for begin in range(1, MANY + 1, 5000):
        store.insert([Record(offset, some_header(chance, offset)) for offset in range(begin, begin + 5000)])
    yield store
    store.reading.close()
    store.writing.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.reading.close()
    store.writing.close()


def query(text: str = "", **conditions: object) -> EventQuery:
    return EventQuery(EventFilter.of(**conditions), text)  # type: ignore[arg-type]  # passed on


QUERIES = {
    "all": query(),
    "type": query(types=["document.extracted"]),
    "type pattern": query(types=["*.c*", "session.*"]),
    "no such type": query(types=["nothing"]),
    "source": query(sources=["https://*"]),
    "severity": query(minimum_severity=4),
    "subject prefix": query(subject_pattern="libraries/passports/*"),
    "subject part": query(subject_pattern="*/77*"),
    "one subject": query(subject_pattern="sessions/77"),
    "subject without parent": query(subject_pattern="77"),
    "attribute": query(attributes={"country": "PHL"}),
    "attribute present": query(attributes={"batch": ""}),
    "rare attributes": query(attributes={"country": "DEU", "batch": "99"}),
    "type and attribute": query(types=["library.*"], attributes={"batch": "42"}),
    "everything": query(
        "EVT-0000", types=["*.*"], sources=["vidence/*"], minimum_severity=3, attributes={"country": ""}
    ),
    "text in type": query("bATCH"),
    "text in id": query("0007"),
    "text in subject": query("Visas/9"),
    "text beyond ASCII": query("öster"),
    "text with wildcards of SQL": query("_%"),
    "nothing": query("nowhere"),
}


@pytest.mark.requirement("R-EV1")
@pytest.mark.parametrize("name", QUERIES)
def test_pages_of_a_search_are_what_matches_newest_first(full: Store, name: str) -> None:
    wanted = QUERIES[name]
    expected = full.expected(wanted, Range(LOG, 0, MANY + 1))
    found: list[int] = []
    before = MANY + 1
    while before > 1 and len(found) < 120:
        page = full.find(wanted, Range(LOG, 0, before), limit=50, scan_limit=40_000)
        assert page.down_to < before
        assert list(page.offsets) == sorted(page.offsets, reverse=True)
        found += full.exact(wanted, page)
        before = page.down_to
    assert found[:100] == expected[:100]


@pytest.mark.parametrize("name", QUERIES)
def test_no_search_reads_all_of_the_index(full: Store, name: str) -> None:
    """Each statement is answered by the key, by the kinds, or stops at the scan limit."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    full.reading.set_progress_handler(step, 1000)
    try:
        full.find(QUERIES[name], Range(LOG, 0, MANY + 1), limit=50, scan_limit=2000)
    finally:
        full.reading.set_progress_handler(None, 0)
    assert (
        steps < 300
    )  # thousands of instructions of SQLite's machine; a look at all rows takes over a thousand


def test_kinds_are_found_by_their_index(full: Store) -> None:
    statement = f"EXPLAIN QUERY PLAN {newest_of_kinds([1, 2], 'limit')}"
    parameters = {"log": LOG, "after": 0, "before": 10, "limit": 1}
    plan = " ".join(row[3] for row in full.reading.execute(statement, parameters))
    assert "COVERING INDEX event_index_by_kind" in plan
    assert "USE TEMP B-TREE" not in plan


def test_a_search_stays_within_its_range(full: Store) -> None:
    for wanted in QUERIES.values():
        place = Range(LOG, 500, 900)
        assert full.exact(wanted, full.find(wanted, place, limit=1000)) == full.expected(wanted, place)


def test_a_full_page_ends_at_its_last_event(full: Store) -> None:
    page = full.find(query(types=["library.created"]), Range(LOG, 0, MANY + 1), limit=10)
    assert page.down_to == page.offsets[-1]


WORDS = st.text(alphabet="ab/%_?[*\\", max_size=5)


@pytest.mark.requirement("R-EV1")
@given(
    st.lists(
        st.builds(
            EventHeader,
            WORDS,
            WORDS,
            WORDS,
            WORDS,
            st.integers(1, 5),
            st.dictionaries(WORDS.filter(bool), WORDS, max_size=2),
        ),
        max_size=6,
    ),
    st.builds(
        EventFilter.of,
        types=st.lists(WORDS.filter(bool), max_size=2),
        sources=st.lists(WORDS.filter(bool), max_size=2),
        subject_pattern=WORDS,
        attributes=st.dictionaries(WORDS.filter(bool), WORDS, max_size=1),
        minimum_severity=st.integers(0, 5),
    ),
    WORDS,
)
def test_the_index_leaves_out_nothing_that_matches(
    headers: list[EventHeader], wanted: EventFilter, text: str
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    index = EventIndex()
    index.create(connection)
    index.insert(connection, LOG, [Record(*pair) for pair in enumerate(headers, start=1)])
    asked = EventQuery(wanted, text)
    place = Range(LOG, 0, len(headers) + 1)
    found = find(connection, asked, place, limit=100, scan_limit=100)
    connection.close()
    expected = [offset for offset, header in enumerate(headers, start=1) if asked.matches(header)]
    assert sorted(o for o in found.offsets if asked.matches(headers[o - 1])) == expected


def test_many_kinds_are_searched_one_event_after_another(empty: Store) -> None:
    records = [
        Record(offset, EventHeader(f"till/{offset % 50}", str(offset), "sold", "", 2, {}))
        for offset in range(1, 501)
    ]
    empty.insert(records)
    wanted = query(sources=["till/*"])
    page = empty.find(wanted, Range(LOG, 0, 501), limit=20)
    assert list(page.offsets) == list(range(500, 480, -1))
    page = empty.find(query(sources=["till/*"], attributes={"x": "y"}), Range(LOG, 0, 501), scan_limit=100)
    assert page == Found([], 401)


def test_removed_events_and_kinds_are_gone(empty: Store) -> None:
    empty.insert(
        [
            Record(offset, EventHeader("s", str(offset), "old" if offset < 5 else "new", "", 2, {}))
            for offset in range(1, 9)
        ]
    )
    empty.index.delete(empty.writing, LOG, 5)
    assert list(empty.find(query(), Range(LOG, 0, 9)).offsets) == [8, 7, 6]
    kinds = empty.reading.execute("SELECT type FROM event_kinds").fetchall()
    assert kinds == [("new",)]


def test_a_kind_whose_transaction_was_taken_back_is_found_later(empty: Store) -> None:
    record = Record(1, EventHeader("s", "1", "t", "", 2, {}))
    empty.writing.execute("BEGIN")
    empty.index.insert(empty.writing, LOG, [record])
    empty.writing.execute("ROLLBACK")
    empty.insert([record])
    assert list(empty.find(query(types=["t"]), Range(LOG, 0, 2)).offsets) == [1]


def test_logs_are_apart(empty: Store) -> None:
    empty.insert([Record(1, EventHeader("s", "1", "t", "", 2, {}))])
    for wanted in (query(), query(types=["t"]), query("t")):
        assert not find(empty.reading, wanted, Range(LOG + 1, 0, 2), limit=9, scan_limit=9).offsets


async def test_searches_run_beside_the_loop_and_are_counted(full: Store) -> None:
    async with EventSearch(full.path, threads=2, scan_limit=1000) as search:
        found = await search.find(query(), Range(LOG, 0, MANY + 1), 3)
        assert list(found.offsets) == [MANY, MANY - 1, MANY - 2]
        assert search.statistics().searches == 1
        assert search.statistics().running == 0


async def test_a_broken_database_is_a_failure_of_storage(tmp_path: Path) -> None:
    path = tmp_path / "event.db"
    path.write_bytes(b"this is no database at all, though it is as long as one would begin" * 20)
    async with EventSearch(path, threads=1, scan_limit=1000, retry_after_s=2.0) as search:
        with pytest.raises(DomainError) as caught:
            await search.find(query(), Range(LOG, 0, 9), 3)
    assert caught.value.reason is Reason.STORAGE_FAILED
    assert caught.value.retry_after_s == 2.0
