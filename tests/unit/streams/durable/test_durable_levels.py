"""Nothing is broadcast or acknowledged before it has the durability that its publisher asked for."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.durable import Sink, draft, open_bus
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.entry import LogItem

pytestmark = pytest.mark.requirement("R-EV3")


class Diary:
    """What happens, in its order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def at(self, step: str) -> None:
        if step in ("after commit", "after insert"):
            self.lines.append(step)

    def extend(self, items: Sequence[LogItem]) -> None:
        self.lines.append("broadcast")


async def diary_of(path: Path, *levels: Durability) -> list[str]:
    diary = Diary()
    async with open_bus(path, at=diary.at) as log:
        log.attach(diary.extend)
        await asyncio.gather(*[log.append([draft(level)], level) for level in levels])
        diary.lines.append("acknowledged")
    return diary.lines[1:]  # without the commit that makes the log


@pytest.mark.parametrize(
    "levels", [(Durability.WRITTEN,), (Durability.SYNCED,), (Durability.MEMORY, Durability.WRITTEN)]
)
async def test_a_group_is_committed_before_it_is_broadcast(
    tmp_path: Path, levels: tuple[Durability, ...]
) -> None:
    lines = await diary_of(tmp_path / "e.db", *levels)
    assert lines == ["after insert", "after commit", "broadcast", "acknowledged"]


async def test_a_group_that_asks_for_memory_only_does_not_wait_for_the_commit(tmp_path: Path) -> None:
    committing = asyncio.Event()
    loop = asyncio.get_running_loop()
    commits: list[str] = []
    sink = Sink()

    def at(step: str) -> None:
        if step == "before commit" and sink_attached:
            # Held until it was acknowledged: the test would hang if the answer waited for the commit.
            asyncio.run_coroutine_threadsafe(committing.wait(), loop).result(60)
            commits.append("commit")

    sink_attached: list[bool] = []
    async with open_bus(tmp_path / "e.db", sink=sink, at=at) as log:
        sink_attached.append(True)
        await log.append([draft("quick")], Durability.MEMORY)
        assert (sink.offsets, commits) == ([1], [])
        assert log.bounds().newest == 0
        committing.set()
        await log.append([draft("behind")], Durability.WRITTEN)
        assert (sink.offsets, log.bounds().newest) == ([1, 2], 2)


async def test_written_survives_the_process_and_synced_is_synced(tmp_path: Path) -> None:
    modes: list[tuple[str, int]] = []
    logs: list[DurableLog] = []

    def at(step: str) -> None:
        if step == "before commit" and logs:
            connection: sqlite3.Connection = logs[0]._writer._store._writing  # type: ignore[attr-defined]
            modes.append((step, connection.execute("PRAGMA synchronous").fetchone()[0]))

    async with open_bus(tmp_path / "e.db", at=at) as log:
        logs.append(log)
        for level in (Durability.WRITTEN, Durability.SYNCED, Durability.MEMORY):
            await log.append([draft(level)], level)
        await log.append([draft("last")], Durability.WRITTEN)
        # Another connection sees what was written: the operating system has it.
        other = sqlite3.connect(f"file:{tmp_path / 'e.db'}?mode=ro", uri=True)
        assert other.execute("SELECT count(*) FROM records").fetchone()[0] == 4
        other.close()
    normal, full = 1, 2
    assert [mode for _, mode in modes] == [normal, full, normal, normal]


async def test_one_synced_event_makes_its_whole_group_synced(tmp_path: Path) -> None:
    commits: list[int] = []
    logs: list[DurableLog] = []

    def at(step: str) -> None:
        if step == "before commit" and logs:
            commits.append(logs[0]._writer._store._writing.execute("PRAGMA synchronous").fetchone()[0])  # type: ignore[attr-defined]

    async with open_bus(tmp_path / "e.db", at=at) as log:
        logs.append(log)
        await asyncio.gather(*[log.append([draft(level)], level) for level in Durability])
    assert commits == [2]


async def test_an_answer_comes_after_the_broadcast(tmp_path: Path) -> None:
    sink = Sink()
    async with open_bus(tmp_path / "e.db", sink=sink) as log:
        for n in range(1, 20):
            await log.append([draft(n)], Durability.WRITTEN)
            assert sink.offsets[-1] == n == log.bounds().newest
