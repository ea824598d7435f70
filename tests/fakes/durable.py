"""Logs in files, with storage that fails where it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vidence_server.streams.append import Appended, AppendResult, Draft, Durability
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.sqlite_store import RecordIndex, SqliteStore
from vidence_server.streams.durable.store import RecordStore, StoreError
from vidence_server.streams.durable.threads import Threads
from vidence_server.streams.durable.writer import LogWriter, WriterSettings
from vidence_server.streams.entry import Entry, Hole, LogItem

START_NS = 1_700_000_000_000_000_000


class SetClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time = datetime.fromtimestamp(START_NS / 1e9, UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Sink:
    """What a log broadcasts."""

    items: list[LogItem] = field(default_factory=list)

    def extend(self, items: Sequence[LogItem]) -> None:
        self.items.extend(items)

    @property
    def offsets(self) -> list[int]:
        return [item.offset for item in self.items if isinstance(item, Entry)]


class FailingStore(SqliteStore):
    """Calls `at` with the name of a step; an error that it raises is the step's."""

    at: Callable[[str], None] = staticmethod(lambda step: None)

    def reserve(self, number: int, until: int) -> None:
        self.at("before reserve")
        super().reserve(number, until)
        self.at("after reserve")

    def begin(self, durability: Durability) -> None:
        self.at("before begin")
        super().begin(durability)
        self.at("after begin")

    def insert(self, number: int, records: Sequence) -> None:  # type: ignore[type-arg]  # passed on
        self.at("before insert")
        super().insert(number, records)
        self.at("after insert")

    def add_hole(self, number: int, hole: Hole) -> None:
        self.at("before add_hole")
        super().add_hole(number, hole)
        self.at("after add_hole")

    def remove(self, number: int, until: int) -> None:
        self.at("before remove")
        super().remove(number, until)
        self.at("after remove")

    def commit(self) -> None:
        self.at("before commit")
        super().commit()
        self.at("after commit")

    def extent(self, number: int):  # type: ignore[no-untyped-def]  # passed on
        self.at("before extent")
        return super().extent(number)

    def rollback(self) -> None:
        self.at("before rollback")
        super().rollback()


class Script:
    """Fails the named steps, each as often as it is named, then never again."""

    def __init__(self, *steps: str, full: bool = False) -> None:
        self.steps = list(steps)
        self.full = full
        self.seen: list[str] = []

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if step in self.steps:
            self.steps.remove(step)
            raise StoreError(f"scripted: {step}", full=self.full)


def draft(name: object = None, **changes: object) -> Draft:
    """A draft whose body tells its name; None: without identity."""
    plain = Draft(
        body=f"body of {name}".encode(),
        time_ns=START_NS,
        key=name,
        identity=None if name is None else f"source\n{name}",
        publisher="source",
        sequence=0,
    )
    return plain._replace(**changes)  # type: ignore[arg-type]  # a test names its fields


def name_of(body: bytes) -> object:
    """The key of a body, as `draft` makes it."""
    return body.decode(errors="replace").removeprefix("body of ")


@asynccontextmanager
async def open_writer(
    path: Path,
    *,
    settings: WriterSettings | None = None,
    clock: SetClock | None = None,
    index: RecordIndex | None = None,
    store: Callable[[], RecordStore] | None = None,
) -> AsyncIterator[LogWriter]:
    async with (
        Threads(1, "log-writer") as writing,
        Threads(2, "log-reader") as reading,
        LogWriter(
            store or (lambda: SqliteStore(path, index)),
            name_of,
            settings or WriterSettings(),
            clock or SetClock(),
            writing=writing,
            reading=reading,
        ) as writer,
    ):
        yield writer


@asynccontextmanager
async def open_bus(
    path: Path,
    *,
    sink: Sink | None = None,
    retention: Retention | None = None,
    settings: WriterSettings | None = None,
    clock: SetClock | None = None,
    at: Callable[[str], None] | None = None,
) -> AsyncIterator[DurableLog]:
    """The log `default`, `bus` of a file; `at` hears of every step of its store."""

    def open_store() -> RecordStore:
        store = FailingStore(path)
        if at is not None:
            store.at = at
        return store

    async with open_writer(path, settings=settings, clock=clock, store=open_store) as writer:
        log = await writer.open_log("default", "bus", retention)
        if sink is not None:
            log.attach(sink.extend)
        yield log


async def read_all(log: DurableLog, *, after: int | None = None, limit: int = 100) -> list[LogItem]:
    """Everything that a log gives."""
    items: list[LogItem] = []
    position = log.bounds().oldest if after is None else after
    while position < log.bounds().newest:
        page = await log.read(position, until=log.bounds().newest, limit=limit, max_bytes=64_000)
        assert page.end > position
        items.extend(page.items)
        position = page.end
    return items


def offsets(results: Sequence[AppendResult]) -> list[int]:
    assert all(isinstance(result, Appended) for result in results), results
    return [result.offset for result in results if isinstance(result, Appended)]


def names(items: Sequence[LogItem]) -> list[object]:
    """Names of entries; holes as they are."""
    return [item.key if isinstance(item, Entry) else item for item in items]


async def rest(log: DurableLog) -> None:
    """Returns when the writer has done what there was: its thread runs functions in their order."""
    log._writer._wake.set()
    for _ in range(3):
        await log._writer._writing.run(lambda: None)
        await asyncio.sleep(0)
