"""A log goes on after its process ended, however that happened; no offset is ever used again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fakes.durable import SetClock, Sink, draft, names, offsets, open_bus, read_all
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.block_file import BlockFile
from vidence_server.streams.durable.writer import WriterSettings
from vidence_server.streams.entry import GapReason, Hole

pytestmark = [pytest.mark.requirement("R-EV3"), pytest.mark.requirement("R-ST4")]
SMALL = WriterSettings(block=16)


def snapshot(path: Path, to: Path, *without: str) -> Path:
    """The files as kill -9 would leave them now."""
    to.mkdir()
    for suffix in ("", "-wal", "-reserved"):
        if suffix not in without:
            shutil.copy(f"{path}{suffix}", to / f"{path.name}{suffix}")
    return to / path.name


async def test_a_clean_stop_leaves_no_hole_and_keeps_the_epoch(tmp_path: Path) -> None:
    path, clock = tmp_path / "e.db", SetClock()
    epochs = set()
    for start in range(1, 6):
        async with open_bus(path, settings=SMALL, clock=clock) as log:
            assert offsets(await log.append([draft(start)], Durability.WRITTEN)) == [start]
            epochs.add(log.epoch)
            assert names(await read_all(log)) == [str(n) for n in range(1, start + 1)]
        clock.advance(1000)
    assert len(epochs) == 1


async def test_a_new_file_has_a_new_epoch(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_bus(tmp_path / "a.db", clock=clock) as first:
        clock.advance(0.25)
        async with open_bus(tmp_path / "b.db", clock=clock) as second:
            assert (first.log, first.epoch + 250) == (second.log, second.epoch)


async def test_after_an_unclean_stop_the_log_goes_on_behind_what_was_reserved(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path, settings=SMALL) as log:
        await log.append([draft(n) for n in range(20)], Durability.WRITTEN)
        copy = snapshot(path, tmp_path / "killed")
    hole = Hole(20, 32, GapReason.UNCLEAN_STOP, None)
    sink = Sink()
    async with open_bus(copy, settings=SMALL, sink=sink) as log:
        assert log.bounds() == (0, 32)
        assert (await read_all(log))[20:] == [hole]
        assert offsets(await log.append([draft("next"), draft(3)], Durability.WRITTEN)) == [33, 4]
        assert log.missed(0, 20) == 20
        assert log.missed(0, 21) is None
        assert log.missed(32, 33) == 1
    async with open_bus(copy, settings=SMALL) as log:
        assert names(await read_all(log))[20:] == [hole, "next"]
        assert log.bounds() == (0, 33)


async def test_an_older_copy_that_is_put_back_goes_on_behind_what_was_given_since(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path, settings=SMALL) as log:
        await log.append([draft(n) for n in range(4)], Durability.WRITTEN)
    copy = shutil.copy(path, tmp_path / "copy.db")
    async with open_bus(path, settings=SMALL) as log:
        await log.append([draft(n) for n in range(4, 10)], Durability.WRITTEN)
    shutil.copy(copy, path)  # the file of reserved places beside it stays
    async with open_bus(path, settings=SMALL) as log:
        assert log.bounds() == (0, 10)
        assert offsets(await log.append([draft(4)], Durability.WRITTEN)) == [11]
        assert (await read_all(log))[4:5] == [Hole(4, 10, GapReason.UNCLEAN_STOP, None)]


async def test_a_hole_is_told_to_whoever_asks_for_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path, settings=SMALL) as log:
        await log.append([draft("a")], Durability.WRITTEN)
        copy = snapshot(path, tmp_path / "killed")
    async with open_bus(copy, settings=SMALL) as log:
        await log.append([draft("b")], Durability.WRITTEN)
        page = await log.read(5, until=10, limit=10, max_bytes=1000)
        assert (page.items, page.end) == ([Hole(5, 10, GapReason.UNCLEAN_STOP, None)], 10)
        page = await log.read(5, until=17, limit=10, max_bytes=1000)
        assert names(page.items) == [Hole(5, 16, GapReason.UNCLEAN_STOP, None), "b"]


@pytest.mark.parametrize("lost", ["-wal", "-reserved"])
async def test_offsets_are_not_used_again_where_one_of_the_files_is_lost(tmp_path: Path, lost: str) -> None:
    path, sink = tmp_path / "e.db", Sink()
    async with open_bus(path, settings=SMALL, sink=sink) as log:
        await log.append([draft("kept")], Durability.WRITTEN)
    async with open_bus(path, settings=SMALL, sink=sink) as log:
        for n in range(40):
            await log.append([draft(n)], Durability.MEMORY if n % 2 else Durability.WRITTEN)
        copy = snapshot(path, tmp_path / "killed", lost)
    async with open_bus(copy, settings=SMALL) as log:
        [again] = offsets(await log.append([draft("again")], Durability.WRITTEN))
        assert again > max(sink.offsets)
        items = await read_all(log)
        assert names(items)[0] == "kept"
        assert names(items)[-1] == "again"
        covered = sum(item.until - item.after for item in items if isinstance(item, Hole))
        assert covered + sum(not isinstance(item, Hole) for item in items) == again


async def test_a_damaged_file_of_blocks_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path, settings=SMALL) as log:
        await log.append([draft("a")], Durability.WRITTEN)
        copy = snapshot(path, tmp_path / "killed")
    block_file = copy.with_name(f"{copy.name}-reserved")
    assert [block.reserved for block in BlockFile.read(copy)] == [16]
    for damaged in (b"", b"\xff\xfe", b"nonsense", block_file.read_bytes().replace(b"16", b"15")):
        block_file.write_bytes(damaged)
        assert BlockFile.read(copy) == []
    async with open_bus(copy, settings=SMALL) as log:
        assert log.bounds().newest == 16


async def test_blocks_are_reserved_before_the_offsets_are_used(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    steps: list[str] = []
    async with open_bus(path, settings=SMALL, at=steps.append) as log:
        for n in range(33):
            await log.append([draft(n)], Durability.MEMORY)
            reserved = [block.reserved for block in BlockFile.read(path)]
            assert reserved == [16 * (n // 16 + 1)]
        await log.append([draft(f"many {n}") for n in range(100)], Durability.WRITTEN)
        assert [block.reserved for block in BlockFile.read(path)] == [144]
    assert steps.count("before reserve") == 5
    assert [block.reserved for block in BlockFile.read(path)] == [133]


async def test_one_file_has_one_owner(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with open_bus(path):
        with pytest.raises(DomainError) as caught:
            async with open_bus(path):
                raise AssertionError("opened twice")
        assert caught.value.reason is Reason.DATABASE_IN_USE
        assert caught.value.metadata == {"path": str(path)}
    async with open_bus(path) as log:
        assert log.bounds() == (0, 0)


async def test_a_file_of_another_version_is_not_touched(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "e.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE other (x); PRAGMA user_version = 7;")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DomainError) as caught:
        async with open_bus(path):
            raise AssertionError("opened")
    assert caught.value.reason is Reason.DATABASE_INCOMPATIBLE
    assert caught.value.metadata == {"found": "7", "known": "1"}
    assert path.read_bytes() == before


@pytest.mark.parametrize("contents", [b"no database at all " * 500, b"SQLite format 3\0" + bytes(5000)])
async def test_what_is_no_database_is_an_error_and_frees_the_lock(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "e.db"
    path.write_bytes(contents)
    for _ in range(2):
        with pytest.raises(DomainError) as caught:
            async with open_bus(path):
                raise AssertionError("opened")
        assert caught.value.reason is Reason.STORAGE_FAILED
        assert "repair" in caught.value.message
    assert path.read_bytes() == contents


async def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        async with open_bus(tmp_path / "nowhere" / "e.db"):
            raise AssertionError("opened")
    assert caught.value.reason is Reason.STORAGE_FAILED
