"""A flipped bit is noticed and told; all other events stay readable, and a repair keeps them."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from fakes.durable import SetClock, Sink, draft, name_of, names, offsets, open_bus, read_all
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.file_lock import FileLock
from vidence_server.streams.append import Appended, Durability, Refused
from vidence_server.streams.durable import repair, verify
from vidence_server.streams.durable.sqlite_reader import base
from vidence_server.streams.durable.writer import WriterSettings
from vidence_server.streams.entry import Entry, GapReason, Hole, LogItem

pytestmark = pytest.mark.requirement("R-EV3")
COUNT = 400
PAGE = 4096


def body_of(n: int) -> bytes:
    return f"body of {n}".encode() + bytes(n % 90)


async def make(path: Path, count: int = COUNT) -> None:
    async with open_bus(path, settings=WriterSettings(block=64)) as log:
        for first in range(0, count, 50):
            drafts = [draft(n, body=body_of(n), sequence=n + 1) for n in range(first, min(first + 50, count))]
            await log.append(drafts, Durability.WRITTEN)


def flip(path: Path, rng: random.Random, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def pages_of(path: Path, table: str) -> list[int]:
    connection = sqlite3.connect(path)
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    connection.close()
    data = path.read_bytes()
    interior = data[(root - 1) * PAGE : root * PAGE]
    assert interior[0] == 5, "the root is expected to be an interior page of a table"
    cells = int.from_bytes(interior[3:5], "big")
    pointers = [int.from_bytes(interior[12 + 2 * i : 14 + 2 * i], "big") for i in range(cells)]
    return [int.from_bytes(interior[at : at + 4], "big") for at in pointers]


def files_like(folder: Path, *words: str) -> list[str]:
    return [file.name for file in folder.iterdir() if any(word in file.name for word in words)]


def contents(path: str | None) -> bytes:
    assert path is not None
    return Path(path).read_bytes()


def check(items: list[LogItem], newest: int) -> int:
    """All offsets are there, entries hold what was written; gives how many are lost."""
    position = lost = 0
    for item in items:
        if isinstance(item, Hole):
            assert (item.after, item.reason) == (position, GapReason.CORRUPT)
            assert item.missed_count == item.until - item.after
            lost += item.missed_count
            position = item.until
        else:
            assert item.offset == position + 1
            assert body_of(item.offset - 1) in item.encoded
            position = item.offset
    assert position == newest
    return lost


@pytest.mark.parametrize("seed", range(8))
async def test_a_bit_flipped_in_a_body_costs_that_event_only(tmp_path: Path, seed: int) -> None:
    path, rng = tmp_path / "e.db", random.Random(seed)
    await make(path)
    victim = rng.randrange(COUNT)
    at = path.read_bytes().rfind(b"body of %d" % victim + b"\0" * (victim % 90))
    flip(path, rng, at + rng.randrange(len(body_of(victim))))
    async with open_bus(path) as log:
        items = await read_all(log, limit=64)
        assert check(items, COUNT) == 1
        assert Hole(victim, victim + 1, GapReason.CORRUPT, 1) in items
        assert offsets(await log.append([draft("more")], Durability.WRITTEN)) == [COUNT + 1]
    report = verify(path)
    assert not report.sound
    assert [(one.first, one.last) for one in report.logs[0].corrupt] == [(victim + 1, victim + 1)]


@pytest.mark.parametrize("seed", range(12))
async def test_a_damaged_page_costs_no_more_than_its_own_events(tmp_path: Path, seed: int) -> None:
    path, rng = tmp_path / "e.db", random.Random(seed)
    await make(path)
    page = rng.choice(pages_of(path, "records"))
    for _ in range(rng.randrange(1, 6)):
        flip(path, rng, (page - 1) * PAGE + rng.randrange(12 if seed % 3 == 0 else PAGE))
    async with open_bus(path) as log:
        lost = check(await read_all(log, limit=rng.choice([3, 50, 1000])), COUNT)
        assert lost < 80
        # Of a damaged page more may be found by one way of looking than by another.
        assert check(await read_all(log, limit=1), COUNT) >= lost
    assert sum(log.corrupt_count for log in verify(path).logs) <= lost


async def test_a_missing_record_is_told_as_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    await make(path)
    connection = sqlite3.connect(path)
    start = base(1)
    connection.execute("DELETE FROM records WHERE position BETWEEN ? AND ?", (start + 11, start + 20))
    connection.execute("DELETE FROM records WHERE position = ?", (start + COUNT,))
    connection.commit()
    connection.close()
    async with open_bus(path) as log:
        items = await read_all(log)
        assert Hole(10, 20, GapReason.CORRUPT, 10) in items
        assert items[-1] == Hole(COUNT - 1, COUNT, GapReason.CORRUPT, 1)
        assert check(items, COUNT) == 11


async def test_a_sound_file_is_found_sound_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    await make(path)
    before = path.read_bytes()
    report = verify(path)
    assert (report.sound, report.problems) == (True, ())
    [log] = report.logs
    assert (log.tenant, log.name, log.oldest, log.newest, log.event_count) == (
        "default",
        "bus",
        0,
        COUNT,
        COUNT,
    )
    assert (log.corrupt, log.holes) == ((), ())
    done = repair(path)
    assert (done.repaired, done.kept_as, done.saved_count) == (False, None, COUNT)
    assert path.read_bytes() == before
    assert not files_like(tmp_path, "corrupt", "repaired")


async def test_a_file_in_use_is_neither_checked_nor_repaired(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path):
        for function in (verify, repair):
            with pytest.raises(DomainError) as caught:
                function(path)
            assert caught.value.reason is Reason.DATABASE_IN_USE
    FileLock(path).release()
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "nothing.db")


async def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(DomainError) as caught:
        verify(tmp_path / "other.db")
    assert caught.value.reason is Reason.DATABASE_INCOMPATIBLE


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("seed", range(10))
async def test_a_repair_keeps_all_that_can_be_read_with_its_place(tmp_path: Path, seed: int) -> None:
    path, rng, clock = tmp_path / "e.db", random.Random(seed), SetClock()
    await make(path)
    async with open_bus(path) as log:
        epoch = log.epoch
    for page in rng.sample(pages_of(path, "records"), 2):
        for _ in range(4):
            flip(path, rng, (page - 1) * PAGE + rng.randrange(PAGE if seed % 2 else 8))
    damaged, found = path.read_bytes(), verify(path)
    report = repair(path, clock=clock, key_of=name_of)
    assert report.found == found
    assert report.repaired
    assert report.saved_count + report.lost_count == COUNT
    assert contents(report.kept_as) == damaged
    assert "corrupt-" in str(report.kept_as)
    after = verify(path)
    assert (after.sound, after.logs[0].event_count) == (True, report.saved_count)
    sink = Sink()
    async with open_bus(path, sink=sink) as log:
        assert (log.epoch, log.bounds()) == (epoch, (0, COUNT))
        assert check(await read_all(log), COUNT) == report.lost_count
        lost = lost_offsets(await read_all(log))
        known = next(n for n in range(COUNT) if n + 1 not in lost)
        results = await log.append(
            [draft(known, body=b"x"), draft("counted", sequence=COUNT + 2)], Durability.WRITTEN, atomic=False
        )
        assert results == [Appended(known + 1, True), Refused(COUNT + 1, COUNT + 2)]
        assert offsets(await log.append([draft("goes on")], Durability.WRITTEN)) == [COUNT + 1]
    assert verify(path).sound


def lost_offsets(items: list[LogItem]) -> set[int]:
    return {n for item in items if isinstance(item, Hole) for n in range(item.after + 1, item.until + 1)}


async def test_a_repair_keeps_offsets_that_were_reserved_and_holes(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    settings = WriterSettings(block=16)
    async with open_bus(path, settings=settings) as log:
        await log.append([draft(n, body=body_of(n)) for n in range(20)], Durability.WRITTEN)
        copy = tmp_path / "killed.db"
        for suffix in ("", "-wal", "-reserved"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    async with open_bus(copy, settings=settings) as log:
        await log.append([draft("behind")], Durability.WRITTEN)
    at = copy.read_bytes().rfind(body_of(5))
    flip(copy, random.Random(1), at)
    assert repair(copy).lost_count == 1
    async with open_bus(copy, settings=settings) as log:
        hole = Hole(20, 32, GapReason.UNCLEAN_STOP, None)
        corrupt = Hole(5, 6, GapReason.CORRUPT, 1)
        told = [name_of(body_of(n)) for n in range(20)]
        assert names(await read_all(log)) == [*told[:5], corrupt, *told[6:], hole, "behind"]


@pytest.mark.parametrize("table", ["logs", "holes", "publishers"])
async def test_a_repair_does_without_a_small_table(tmp_path: Path, table: str) -> None:
    path = tmp_path / "e.db"
    await make(path)
    connection = sqlite3.connect(path)
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    connection.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * PAGE : root * PAGE] = b"\xaa" * PAGE
    path.write_bytes(data)
    with pytest.raises(DomainError) as caught:
        async with open_bus(path) as log:
            await log.append([draft("x", sequence=1, publisher="new")], Durability.WRITTEN)
    assert caught.value.reason is Reason.STORAGE_FAILED
    assert not verify(path).sound
    report = repair(path)
    assert (report.repaired, report.sequences_lost) == (True, table == "publishers")
    assert report.saved_count == COUNT
    async with open_bus(path) as log:
        assert check([i for i in await read_all(log) if isinstance(i, Entry)], COUNT) == 0


async def test_a_file_without_a_head_is_repaired_to_an_empty_log_of_the_same_epoch(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    await make(path)
    async with open_bus(path) as log:
        epoch = log.epoch
    data = bytearray(path.read_bytes())
    data[:PAGE] = b"\x55" * PAGE
    path.write_bytes(data)
    assert not verify(path).sound
    assert repair(path).lost_count == COUNT
    async with open_bus(path) as log:
        assert (log.epoch, log.bounds()) == (epoch, (0, COUNT))
        assert await read_all(log) == [Hole(0, COUNT, GapReason.CORRUPT, COUNT)]
        assert offsets(await log.append([draft("goes on")], Durability.WRITTEN)) == [COUNT + 1]
