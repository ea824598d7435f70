"""A disk that is full or fails: nobody is told of success, nothing is lost without a word."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from fakes.durable import Script, Sink, draft, names, offsets, open_bus, open_writer, read_all, rest
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import Appended, Durability, Refused
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.sqlite_store import SqliteStore
from vidence_server.streams.durable.store import StoreError
from vidence_server.streams.durable.writer import WriterSettings
from vidence_server.streams.entry import GapReason, Hole

pytestmark = pytest.mark.requirement("R-EV3")
STEPS = ["before reserve", "before begin", "before insert", "after insert", "before commit"]


async def refused(
    log: DurableLog, *names_: object, durability: Durability = Durability.WRITTEN
) -> DomainError:
    with pytest.raises(DomainError) as caught:
        await log.append([draft(name) for name in names_], durability)
    return caught.value


class Switch(Script):
    """A script that begins later than the log."""

    armed = False

    def __call__(self, step: str) -> None:
        if self.armed:
            super().__call__(step)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("durability", [Durability.WRITTEN, Durability.SYNCED])
async def test_what_was_not_kept_was_not_told_and_may_be_repeated(
    tmp_path: Path, step: str, full: bool, durability: Durability
) -> None:
    script, sink = Switch(step, full=full), Sink()
    async with open_bus(tmp_path / "e.db", sink=sink, at=script, settings=WriterSettings(block=1)) as log:
        await log.append([draft("before")], Durability.WRITTEN)
        script.armed = True
        error = await refused(log, "a", "b", durability=durability)
        assert error.reason is (Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED)
        assert error.retry_after_s is not None
        assert (sink.offsets, log.statistics().failed) == ([1], 2)
        assert offsets(await log.append([draft("a"), draft("b")], durability)) == [2, 3]
        assert names(await read_all(log)) == ["before", "a", "b"]
        assert sink.offsets == [1, 2, 3]


async def test_what_was_kept_although_the_commit_failed_is_told_once_and_recognised(tmp_path: Path) -> None:
    script, sink = Switch("after commit"), Sink()
    async with open_bus(tmp_path / "e.db", sink=sink, at=script) as log:
        script.armed = True
        error = await refused(log, "a", "b", durability=Durability.SYNCED)
        assert error.reason is Reason.STORAGE_FAILED
        assert await log.append([draft("b"), draft("c")], Durability.WRITTEN) == [
            Appended(2, True),
            Appended(3, False),
        ]
        assert names(sink.items) == ["a", "b", "c"]
        assert names(await read_all(log)) == ["a", "b", "c"]
        assert log.statistics().event_count == 3


async def test_a_kept_commit_is_told_even_if_nobody_publishes_any_more(tmp_path: Path) -> None:
    script, sink = Switch("after commit", "before extent"), Sink()
    async with open_bus(
        tmp_path / "e.db", sink=sink, at=script, settings=WriterSettings(retention_period_s=0.01)
    ) as log:
        script.armed = True
        await refused(log, "a")
        await rest(log)
        assert script.steps == []
        assert names(sink.items) == names(await read_all(log)) == ["a"]
        assert log.bounds() == (0, 1)


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("failing", [["before commit"], ["before commit", "before add_hole", "after commit"]])
async def test_lost_memory_events_become_a_hole_and_their_publisher_counts_on(
    tmp_path: Path, failing: list[str]
) -> None:
    script, sink = Switch(*failing), Sink()
    path = tmp_path / "e.db"
    async with open_bus(path, sink=sink, at=script) as log:
        await log.append([draft("kept", sequence=1)], Durability.WRITTEN)
        script.armed = True
        assert offsets(await log.append([draft(n, sequence=n) for n in (2, 3)], Durability.MEMORY)) == [2, 3]
        assert sink.offsets == [1, 2, 3]
        results = await persistent(log, [draft(4, sequence=4)])
        assert results == [Appended(4, False)]
        hole = Hole(1, 3, GapReason.EPHEMERAL, 2)
        assert names(await read_all(log)) == ["kept", hole, "4"]
        assert (log.statistics().failed >= 2, log.statistics().event_count) == (True, 2)
        assert log.missed(0, 4) == 4
    async with open_bus(path) as log:
        assert names(await read_all(log)) == ["kept", hole, "4"]
        assert await log.append(
            [draft(4, sequence=4), draft(6, sequence=6)], Durability.WRITTEN, atomic=False
        ) == [
            Appended(4, True),
            Refused(5, 6),
        ]


async def persistent(log: DurableLog, drafts: list) -> object:  # type: ignore[type-arg]  # drafts
    """Appends as a publisher does that repeats after failures of the disk."""
    for _ in range(10):
        try:
            return await log.append(drafts, Durability.WRITTEN)
        except DomainError as error:
            if error.reason is not Reason.STORAGE_FAILED:
                raise
    raise AssertionError("never taken")


async def test_a_full_disk_is_told_and_has_room_again(tmp_path: Path) -> None:
    stores: list[SqliteStore] = []

    def open_store() -> SqliteStore:
        stores.append(SqliteStore(tmp_path / "e.db"))
        return stores[0]

    sink, taken = Sink(), 0
    async with open_writer(tmp_path / "e.db", store=open_store) as writer:
        log = await writer.open_log("default", "bus")
        log.attach(sink.extend)
        stores[0]._writing.execute("PRAGMA max_page_count = 60").fetchall()
        with pytest.raises(DomainError) as caught:
            for n in range(100):
                durability = Durability.MEMORY if n % 2 else Durability.WRITTEN
                await log.append([draft((n, i), body=bytes(2000)) for i in range(10)], durability)
                taken += 10
        assert caught.value.reason is Reason.STORAGE_FULL
        assert 0 < taken == len(sink.items) < 1000
        assert len(await read_all(log)) == taken
        stores[0]._writing.execute("PRAGMA max_page_count = 100000").fetchall()
        assert offsets(await log.append([draft("more")], Durability.SYNCED)) == [taken + 1]


async def test_a_failure_of_one_group_does_not_stay_with_the_next(tmp_path: Path) -> None:
    script = Switch("before begin", "before insert", "before commit", "before reserve", "before rollback")
    async with open_bus(tmp_path / "e.db", at=script, settings=WriterSettings(block=1)) as log:
        script.armed = True
        for n in range(12):
            await persistent(log, [draft(n)])
        assert script.steps == []
        assert names(await read_all(log)) == [str(n) for n in range(12)]


async def test_a_defect_fails_its_callers_and_not_the_writer(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        with pytest.raises(DomainError) as caught:
            await log.append([draft("bad", time_ns="never")], Durability.WRITTEN)
        assert caught.value.reason is Reason.INTERNAL
        assert "bad" not in caught.value.message
        assert offsets(await log.append([draft("good")], Durability.WRITTEN)) == [1]


async def test_a_broadcast_that_raises_does_not_keep_publishers_waiting(
    tmp_path: Path,
) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def sink(_: object) -> None:
        raise ValueError("a defect")

    async with open_bus(tmp_path / "e.db") as log:
        log.attach(sink)
        assert offsets(await log.append([draft("a")], Durability.WRITTEN)) == [1]
    assert [type(error) for error in reported] == [ValueError]


async def test_reading_fails_with_a_reason(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft("a")], Durability.WRITTEN)
        store = log._writer._store

        def fail(*_: object) -> None:
            raise StoreError("gone")

        store.records = store.find = store.first_record = fail  # type: ignore[method-assign,assignment]  # a broken disk
        for reading in (
            log.read(0, until=1, limit=1, max_bytes=1),
            log.find("source\na"),
            log.offset_before(1),
        ):
            with pytest.raises(DomainError) as caught:
                await reading
            assert caught.value.reason is Reason.STORAGE_FAILED
            assert caught.value.retry_after_s is not None


@pytest.mark.requirement("R-ST6")
@pytest.mark.parametrize(("events", "size_bytes"), [(10, 10**9), (10**9, 200)])
async def test_too_much_that_waits_is_refused_and_counted(
    tmp_path: Path, events: int, size_bytes: int
) -> None:
    go = threading.Event()
    settings = WriterSettings(max_pending_events=events, max_pending_bytes=size_bytes)

    def at(step: str) -> None:
        if step == "before insert":
            go.wait(60)

    async with open_bus(tmp_path / "e.db", settings=settings, at=at) as log:
        waiting = [
            asyncio.create_task(log.append([draft(n, body=bytes(20))], Durability.MEMORY)) for n in range(10)
        ]
        await asyncio.sleep(0)
        error = await refused(log, "one", "more")
        assert error.reason is Reason.QUEUE_FULL
        assert error.metadata == {"step": "event-log", "queued": "10", "limit": str(events)}
        assert error.retry_after_s is not None
        assert log._writer.statistics().queue_full == 2
        assert (log._writer.statistics().pending_events, log._writer.statistics().pending_bytes) == (10, 200)
        go.set()
        await asyncio.gather(*waiting)
        assert log._writer.statistics().pending_events == log._writer.statistics().pending_bytes == 0
        assert offsets(await log.append([draft("now")], Durability.WRITTEN)) == [11]


async def test_a_call_larger_than_the_bound_is_taken_when_nothing_waits(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db", settings=WriterSettings(max_pending_events=3)) as log:
        assert len(await log.append([draft(n) for n in range(10)], Durability.WRITTEN)) == 10


async def test_a_group_keeps_its_bounds(tmp_path: Path) -> None:
    settings = WriterSettings(max_group_events=7, max_group_bytes=100)
    async with open_bus(tmp_path / "e.db", settings=settings) as log:
        calls = [
            log.append([draft((n, i), body=bytes(n)) for i in range(3)], Durability.WRITTEN)
            for n in range(40)
        ]
        await asyncio.gather(*calls)
        statistics = log._writer.statistics()
        assert statistics.group_events_max == 6
        assert statistics.groups > 20
