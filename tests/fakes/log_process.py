"""A process that publishes to a log until it kills itself; run as a module, with its plan as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fakes.durable import FailingStore, draft, name_of
from vidence_server.core.clock import SystemClock
from vidence_server.streams.append import Appended, Durability
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.threads import Threads
from vidence_server.streams.durable.writer import LogWriter, WriterSettings
from vidence_server.streams.entry import Entry, LogItem

BLOCK = 32
NEVER_REACHED = 3
CALLS = 60


class Suicide:
    """Kills the process when a point is reached for the n-th time."""

    def __init__(self, point: str, occurrence: int) -> None:
        self._point = point
        self._left = occurrence

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def tell(**what: Any) -> None:
    """One line to the parent, at once."""
    os.write(1, (json.dumps(what) + "\n").encode())


class ToldStore(FailingStore):
    """Tells how much of the write-ahead log is synced."""

    def begin(self, durability: Durability) -> None:
        super().begin(durability)
        self._durability = durability

    def commit(self) -> None:
        super().commit()
        if self._durability is Durability.SYNCED:
            tell(synced=self._path.with_name(f"{self._path.name}-wal").stat().st_size)


async def publish(log: DurableLog, who: str, level: Durability, reach: Callable[[str], None]) -> None:
    """Publishes calls of three events and tells which of them were acknowledged."""
    for call in range(CALLS):
        names = [f"{who}-{call}-{n}" for n in range(3)]
        results = await log.append([draft(name) for name in names], level)
        reach("before ack")
        for name, result in zip(names, results, strict=True):
            assert isinstance(result, Appended)
            tell(name=name, offset=result.offset, level=level)
        reach("after ack")


async def run(plan: dict[str, Any]) -> None:
    """Publishes as planned."""
    reach = Suicide(plan["point"], plan["occurrence"])
    path = Path(plan["path"])
    _watch_fsync(reach)

    def open_store() -> ToldStore:
        store = ToldStore(path)
        store.at = reach
        return store

    def sink(items: Sequence[LogItem]) -> None:
        reach("before broadcast")
        for item in items:
            assert isinstance(item, Entry)
            tell(name=str(item.key), offset=item.offset, level=0)
        reach("after broadcast")

    async with (
        Threads(1, "writer") as writing,
        Threads(1, "reader") as reading,
        LogWriter(
            open_store, name_of, WriterSettings(block=BLOCK), SystemClock(), writing=writing, reading=reading
        ) as writer,
    ):
        log = await writer.open_log("default", "bus", Retention(max_count=plan["keep"]))
        log.attach(sink)
        levels = [Durability(level) for level in plan["levels"]]
        async with asyncio.TaskGroup() as group:
            for n, level in enumerate(levels):
                group.create_task(publish(log, f"{plan['life']}-{n}", level, reach))
    reach("after close")


def _watch_fsync(reach: Callable[[str], None]) -> None:
    """The only caller is the file of reserved offsets; SQLite syncs by itself."""
    sync = os.fsync

    def watched(descriptor: int) -> None:
        reach("before fsync")
        sync(descriptor)
        reach("after fsync")

    os.fsync = watched  # type: ignore[assignment]  # this process has no other purpose


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
    sys.exit(NEVER_REACHED)
