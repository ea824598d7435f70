"""What is over a limit goes, the oldest first, and whoever reads knows where the log begins."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.durable import START_NS, Script, SetClock, draft, names, open_bus, open_writer, read_all, rest
from vidence_server.streams.append import Appended, Durability
from vidence_server.streams.durable.expiry import SLICE
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.store import Extent, Record, RecordSize, StoreError

pytestmark = pytest.mark.requirement("R-EV3")
SECOND = 1_000_000_000


async def test_a_log_keeps_so_many_events(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", retention=Retention(max_count=10)) as log:
        for first in range(0, 60, 6):
            await log.append([draft(n) for n in range(first, first + 6)], Durability.WRITTEN)
        await rest(log)
        assert log.bounds() == (50, 60)
        assert names(await read_all(log)) == [str(n) for n in range(50, 60)]
        statistics = log.statistics()
        assert (statistics.event_count, statistics.expired, statistics.oldest) == (10, 50, 50)
    async with open_bus(tmp_path / "e.db") as log:
        assert log.bounds() == (50, 60)
        assert log.statistics().event_count == 10


async def test_a_log_keeps_so_many_bytes(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", retention=Retention(max_bytes=1000)) as log:
        for n in range(30):
            await log.append([draft(n, body=bytes(90 + n))], Durability.WRITTEN)
        await rest(log)
        statistics = log.statistics()
        assert statistics.size_bytes <= 1000 < statistics.size_bytes + 90 + 29
        assert log.bounds().oldest == 30 - statistics.event_count
        assert statistics.size_bytes == sum(90 + n for n in range(log.bounds().oldest, 30))


async def test_a_log_keeps_events_for_so_long_also_when_nothing_is_appended(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_bus(tmp_path / "e.db", retention=Retention(max_age_s=10), clock=clock) as log:
        for n in range(5):
            await log.append([draft(n, time_ns=START_NS + n * SECOND)], Durability.WRITTEN)
        assert log.statistics().oldest_time_ns == START_NS
        clock.advance(12.5)
        await rest(log)
        assert names(await read_all(log)) == ["3", "4"]
        assert log.statistics().oldest_time_ns == START_NS + 3 * SECOND
        clock.advance(100)
        await rest(log)
        assert log.bounds() == (5, 5)
        assert log.statistics().oldest_time_ns is None
        assert await log.append([draft("new", time_ns=START_NS + 113 * SECOND)], Durability.WRITTEN) == [
            Appended(6, False)
        ]


async def test_a_time_whose_events_may_have_expired_has_no_offset(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", retention=Retention(max_count=4)) as log:
        await log.append([draft(n, time_ns=START_NS + n // 2) for n in range(10)], Durability.WRITTEN)
        await rest(log)
    async with open_bus(tmp_path / "e.db") as log:
        assert log.bounds() == (6, 10)
        expired, kept = START_NS + 2, START_NS + 3
        assert await log.offset_before(expired) is None
        assert await log.offset_before(kept) == 6
        assert await log.offset_before(kept + 1) == 8
        assert await log.offset_before(kept + 50) == 10


async def test_an_expired_identity_may_be_used_again(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", retention=Retention(max_count=1)) as log:
        await log.append([draft("a"), draft("b")], Durability.WRITTEN)
        await rest(log)
        assert await log.find("source\na") is None
        assert await log.append([draft("a")], Durability.WRITTEN) == [Appended(3, False)]


async def test_much_that_expires_goes_in_slices_between_commits(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    steps: list[str] = []
    count = SLICE * 3 + 10
    async with open_bus(path) as log:
        await log.append([draft(n) for n in range(count)], Durability.WRITTEN)
    async with open_bus(path, retention=Retention(max_count=5), at=steps.append) as log:
        await log.append([draft("one")], Durability.WRITTEN)
        await rest(log)
        assert log.bounds() == (count - 4, count + 1)
    assert steps.count("before remove") == 4


async def test_a_removal_that_fails_is_tried_again(tmp_path: Path) -> None:
    script = Script("after remove", "before commit")
    path = tmp_path / "e.db"
    async with open_bus(path) as log:
        await log.append([draft(n) for n in range(10)], Durability.WRITTEN)
    async with open_bus(path, retention=Retention(max_count=3), at=script) as log:
        for _ in range(3):
            await rest(log)
        assert log.statistics().expired == 7
        assert log._writer.statistics().expiry_failed == 2
        assert names(await read_all(log)) == ["7", "8", "9"]
        assert log.statistics().event_count == 3


async def test_a_removal_that_was_kept_although_it_failed_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path) as log:
        await log.append([draft(n) for n in range(10)], Durability.WRITTEN)
    steps: list[str] = []

    def at(step: str) -> None:
        steps.append(step)
        if step == "after commit" and steps.count("before remove") == 1 == steps[-4:].count("after remove"):
            raise StoreError("kept all the same")

    async with open_bus(path, retention=Retention(max_count=3), at=at) as log:
        await log.append([draft("more")], Durability.WRITTEN)
        await rest(log)
        assert log._writer.statistics().expiry_failed == 1
        assert names(await read_all(log)) == ["8", "9", "more"]
        assert (log.statistics().event_count, log.bounds()) == (3, (8, 11))


async def test_reading_what_is_being_removed_finds_nothing_corrupt(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", retention=Retention(max_count=50)) as log:

        async def publish() -> None:
            for n in range(100):
                await log.append([draft((n, i)) for i in range(20)], Durability.WRITTEN)

        publishing = asyncio.create_task(publish())
        reads = 0
        while not publishing.done():
            oldest, newest = log.bounds()
            page = await log.read(oldest, until=newest, limit=100, max_bytes=10**6)
            assert all(type(item).__name__ == "Entry" for item in page.items)
            reads += 1
        assert reads > 5


@dataclass
class Index:
    """An index that keeps names by offset."""

    inserted: list[object] = field(default_factory=list)

    def create(self, connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS names (log INTEGER, offset INTEGER, name TEXT)")

    def insert(self, connection: sqlite3.Connection, log: int, records: Sequence[Record]) -> None:
        connection.executemany(
            "INSERT INTO names VALUES (?, ?, ?)",
            [(log, record.offset, str(record.key)) for record in records],
        )

    def delete(self, connection: sqlite3.Connection, log: int, until: int) -> None:
        connection.execute("DELETE FROM names WHERE log = ? AND offset <= ?", (log, until))


async def test_an_index_changes_with_the_records(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_writer(path, index=Index()) as writer:
        log = await writer.open_log("default", "bus", Retention(max_count=3))
        await log.append([draft(name) for name in "abc"], Durability.WRITTEN)
        await log.append([draft(name) for name in "cde"], Durability.WRITTEN)
        await rest(log)
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT log, offset, name FROM names ORDER BY offset").fetchall()
        connection.close()
        assert rows == [(log.number, 3, "c"), (log.number, 4, "d"), (log.number, 5, "e")]


limits = st.one_of(st.none(), st.integers(0, 30))


@given(
    sizes=st.lists(st.integers(0, 9), max_size=20),
    max_count=limits,
    max_bytes=limits,
    max_age_s=limits,
    now_s=st.integers(0, 40),
)
def test_a_cut_is_the_smallest_prefix_that_satisfies_every_limit(
    sizes: list[int], max_count: int | None, max_bytes: int | None, max_age_s: int | None, now_s: int
) -> None:
    records = [RecordSize(n + 1, n * SECOND, size) for n, size in enumerate(sizes)]
    retention = Retention(max_age_s, max_count, max_bytes)
    extent = Extent(0, len(sizes), len(sizes), sum(sizes))
    gone = retention.cut(extent, records, now_s * SECOND)
    assert gone == records[: len(gone)]

    def fits(left: list[RecordSize]) -> bool:
        return not (
            (max_count is not None and len(left) > max_count)
            or (max_bytes is not None and sum(record.size_bytes for record in left) > max_bytes)
            or (max_age_s is not None and bool(left) and left[0].time_ns < (now_s - max_age_s) * SECOND)
        )

    assert fits(records[len(gone) :]) or len(gone) == len(records)
    assert not gone or not fits(records[len(gone) - 1 :])
    oldest = records[0].time_ns if records else None
    assert retention.due(extent, oldest, now_s * SECOND) == bool(gone)
