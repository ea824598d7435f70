"""Every event has its place once, in the order in which it came."""

from __future__ import annotations

import asyncio
from itertools import chain
from pathlib import Path

import pytest

from fakes.durable import Sink, draft, names, offsets, open_bus, open_writer, read_all
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import Appended, Durability, Refused
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.entry import Entry, encode_entry

pytestmark = pytest.mark.requirement("R-EV1")
LEVELS = list(Durability)


@pytest.mark.parametrize("durability", LEVELS)
async def test_events_get_dense_offsets_in_their_order(tmp_path: Path, durability: Durability) -> None:
    sink = Sink()
    async with open_bus(tmp_path / "e.db", sink=sink) as log:
        for first in range(1, 30, 3):
            results = await log.append([draft(first + i) for i in range(3)], durability)
            assert results == [Appended(first + i, repeated=False) for i in range(3)]
        assert names(sink.items) == list(range(1, 31))
    async with open_bus(tmp_path / "e.db") as log:
        assert names(await read_all(log)) == [str(n) for n in range(1, 31)]


async def test_what_is_read_is_what_was_broadcast(tmp_path: Path) -> None:
    sink = Sink()
    async with open_bus(tmp_path / "e.db", sink=sink) as log:
        await log.append(
            [draft(str(n), body=bytes([n]) * n * 7, key=None) for n in range(200)], Durability.WRITTEN
        )
        read = await read_all(log, limit=7)
        assert [item._replace(key=None) for item in read if isinstance(item, Entry)] == sink.items
        cursor = Cursor(log_id("default", "bus"), log.epoch, 5)
        assert read[4].encoded == encode_entry(bytes([4]) * 28, str(cursor))  # type: ignore[union-attr]  # an entry


@pytest.mark.requirement("R-ST1")
async def test_concurrent_publishers_share_one_order_and_keep_their_own(tmp_path: Path) -> None:
    sink = Sink()
    async with open_bus(tmp_path / "e.db", sink=sink) as log:

        async def publish(who: int) -> list[int]:
            mine: list[int] = []
            for call in range(20):
                durability = LEVELS[(who + call) % 3]
                mine += offsets(await log.append([draft((who, call, n)) for n in range(5)], durability))
            return mine

        given = await asyncio.gather(*map(publish, range(12)))
        assert all(mine == sorted(mine) for mine in given)
        assert sorted(chain(*given)) == sink.offsets == list(range(1, 1201))
        statistics = log.statistics()
        assert (statistics.appended, statistics.event_count, statistics.newest) == (1200, 1200, 1200)


@pytest.mark.parametrize("reopened", [False, True])
async def test_an_identity_is_appended_once(tmp_path: Path, reopened: bool) -> None:
    sink = Sink()
    async with open_bus(tmp_path / "e.db", sink=sink) as log:
        results = await log.append([draft("a"), draft("b"), draft("a")], Durability.WRITTEN)
        assert results == [Appended(1, False), Appended(2, False), Appended(1, True)]
        if not reopened:
            assert (await log.append([draft("b"), draft("c")], Durability.SYNCED))[0] == Appended(2, True)
    async with open_bus(tmp_path / "e.db", sink=sink) as log:
        results = await log.append([draft("c"), draft("a"), draft("d")], Durability.WRITTEN)
        assert [result.repeated for result in results] == [not reopened, True, False]  # type: ignore[union-attr]
        assert names(await read_all(log)) == list("abcd")
        assert log.statistics().repeated == (1 if reopened else 2)
    assert names(sink.items) == list("abcd")


async def test_the_same_call_in_many_tasks_is_appended_once(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        calls = [log.append([draft(n) for n in range(10)], Durability.WRITTEN) for _ in range(20)]
        results = await asyncio.gather(*calls)
        assert {tuple(offsets(result)) for result in results} == {tuple(range(1, 11))}
        assert sum(not one.repeated for result in results for one in result) == 10  # type: ignore[union-attr]


async def test_events_without_identity_are_never_repetitions(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        assert offsets(await log.append([draft(), draft()], Durability.WRITTEN)) == [1, 2]
        assert offsets(await log.append([draft(), draft("x"), draft()], Durability.WRITTEN)) == [3, 4, 5]


@pytest.mark.parametrize("reopened", [False, True])
async def test_a_publishers_count_is_checked(tmp_path: Path, reopened: bool) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft(n, sequence=n) for n in (1, 2, 3)], Durability.WRITTEN)
        if not reopened:
            await log.append([draft("other", sequence=1, publisher="other")], Durability.WRITTEN)
            assert await log.append([draft(5, sequence=5)], Durability.WRITTEN) == [Refused(4, 5)]
    async with open_bus(tmp_path / "e.db") as log:
        results = await log.append(
            [draft(7, sequence=7), draft(4, sequence=4), draft(None, sequence=4), draft("free")],
            Durability.WRITTEN,
            atomic=False,
        )
        first = 4 if reopened else 5
        assert results == [Refused(4, 7), Appended(first, False), Refused(5, 4), Appended(first + 1, False)]
        assert log.statistics().refused == 2


async def test_a_repetition_does_not_break_the_count(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft(n, sequence=n) for n in (1, 2, 3)], Durability.WRITTEN)
        results = await log.append([draft(n, sequence=n) for n in (2, 3, 4)], Durability.WRITTEN)
        assert results == [Appended(2, True), Appended(3, True), Appended(4, False)]


async def test_an_atomic_call_is_refused_as_a_whole_and_leaves_nothing(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        call = [draft("a"), draft(1, sequence=1), draft(3, sequence=3)]
        both = await asyncio.gather(
            log.append(call, Durability.WRITTEN, atomic=True),
            log.append([draft("a"), draft(1, sequence=1)], Durability.WRITTEN, atomic=True),
        )
        assert both[0] == [Refused(2, 3)] * 3
        assert both[1] == [Appended(1, False), Appended(2, False)]
        assert names(await read_all(log)) == ["a", "1"]


async def test_logs_of_one_file_do_not_touch_each_other(tmp_path: Path) -> None:
    sinks = {name: Sink() for name in ("bus", "sessions", "other")}
    async with open_writer(tmp_path / "e.db") as writer:
        logs = {
            ("default", "bus"): await writer.open_log("default", "bus"),
            ("default", "sessions"): await writer.open_log("default", "sessions"),
            ("other", "bus"): await writer.open_log("other", "bus"),
        }
        for log, sink in zip(logs.values(), sinks.values(), strict=True):
            log.attach(sink.extend)
        calls = [log.append([draft("same", sequence=1)], Durability.WRITTEN) for log in logs.values()]
        assert await asyncio.gather(*calls) == [[Appended(1, False)]] * 3
        assert len({log.log for log in logs.values()}) == len({log.number for log in logs.values()}) == 3
        assert await writer.open_log("other", "bus") is logs["other", "bus"]
        assert [sink.offsets for sink in sinks.values()] == [[1]] * 3
        assert [names(await read_all(log)) for log in logs.values()] == [["same"]] * 3


async def test_an_event_is_found_by_its_identity(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft("a"), draft("b")], Durability.WRITTEN)
        assert await log.find("source\nb") == 2
        assert await log.find("source\nc") is None


async def test_reading_by_time_starts_at_the_first_event_of_that_time(tmp_path: Path) -> None:
    times = [10, 20, 20, 20, 30, 30, 50]
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft(n, time_ns=time) for n, time in enumerate(times)], Durability.WRITTEN)
        for asked in range(5, 60):
            expected = sum(time < asked for time in times)
            assert await log.offset_before(asked) == expected, asked


async def test_pages_keep_their_limits_and_join_to_the_log(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        await log.append([draft(n, body=bytes(n % 300)) for n in range(500)], Durability.WRITTEN)
        assert len((await log.read(0, until=500, limit=7, max_bytes=10**6)).items) == 7
        page = await log.read(250, until=500, limit=100, max_bytes=1000)
        sizes = [len(item.encoded) for item in page.items if isinstance(item, Entry)]
        assert sum(sizes[:-1]) < 1000 <= sum(sizes)
        assert len((await log.read(299, until=300, limit=5, max_bytes=1)).items) == 1
        assert (await log.read(500, until=900, limit=5, max_bytes=1)).end == 500
        assert (await log.read(490, until=900, limit=50, max_bytes=10**6)).end == 500


async def test_an_empty_call_is_nothing(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        assert await log.append([], Durability.SYNCED) == ()
        assert log.bounds() == (0, 0)
        assert await read_all(log) == []


async def test_a_cancelled_caller_changes_nothing_for_others(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        gone = asyncio.create_task(log.append([draft("gone")], Durability.WRITTEN))
        stays = asyncio.create_task(log.append([draft("stays")], Durability.WRITTEN))
        await asyncio.sleep(0)
        gone.cancel()
        assert offsets(await stays) == [2]
        assert names(await read_all(log)) == ["gone", "stays"]
        assert log._writer.statistics().pending_events == 0


async def test_all_that_waits_is_written_before_the_log_closes(tmp_path: Path) -> None:
    async with open_bus(tmp_path / "e.db") as log:
        tasks = [asyncio.create_task(log.append([draft(n)], Durability.WRITTEN)) for n in range(50)]
        await asyncio.sleep(0)
    assert [offsets(await task) for task in tasks] == [[n] for n in range(1, 51)]
    with pytest.raises(DomainError) as caught:
        await log.append([draft("late")], Durability.WRITTEN)
    assert caught.value.reason is Reason.DRAINING
    with pytest.raises(DomainError) as caught:
        await log.read(0, until=50, limit=1, max_bytes=1)
    assert caught.value.reason is Reason.DRAINING
