"""A worker against a service that is away, loses leases, or is busy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from eventually import eventually
from fakes.batch import JPEG, FakeReader, document
from vidence_server.batch.domain.failure import BackOff, Failure
from vidence_server.batch.domain.work import (
    Directive,
    Done,
    Extension,
    Grant,
    Lease,
    LeaseRef,
    Outcome,
    Presence,
)
from vidence_server.batch.worker.worker import Worker, WorkerSettings
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-BA2")

QUICK = WorkerSettings(wait_s=0.01, beat_s=0.01, grace_s=0.2, back_off=BackOff(0.001, 0.01))


@dataclass
class FakeSource:
    """Hands out texts, with faults."""

    texts: list[str]
    away: int = 0
    """So many completions find nobody."""
    lost: set[str] = field(default_factory=set)
    """What turns out to be lost when leases are prolonged."""
    told: list[tuple[str, Outcome]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    taken: dict[LeaseRef, str] = field(default_factory=dict)
    refusals: int = 0
    """So many requests for items are refused."""
    slow: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens while the image of a text is on its way."""

    async def lease(self, worker: Presence, count: int, *, wait_s: float) -> Grant:
        if self.refusals:
            self.refusals -= 1
            raise DomainError(Reason.NOT_READY, "away")
        leases = []
        for _ in range(min(count, len(self.texts))):
            ref = LeaseRef(f"itm_{len(self.taken)}", len(self.taken) + 1)
            self.taken[ref] = self.texts.pop(0)
            leases.append(Lease(ref, 1, 30.0, "read_document", "", 1))
        if not leases:
            await asyncio.sleep(wait_s)
        return Grant(tuple(leases), Directive(drain=False, concurrency=worker.concurrency))

    async def content(self, ref: LeaseRef) -> bytes:
        self.slow.get(self.taken[ref], lambda: None)()
        if self.taken[ref] == "gone":
            raise DomainError(Reason.BLOB_NOT_FOUND, "gone")
        if self.taken[ref] == "theirs":
            raise DomainError(Reason.LEASE_LOST, "theirs")
        return JPEG + self.taken[ref].encode()

    async def extend(self, worker: Presence, refs: Sequence[LeaseRef]) -> Extension:
        lost = tuple(ref for ref in refs if self.taken[ref] in self.lost)
        return Extension(lost, Directive(drain=False, concurrency=worker.concurrency))

    async def complete(self, worker_id: str, ref: LeaseRef, outcome: Outcome, duration_s: float) -> bool:
        if self.away:
            self.away -= 1
            raise DomainError(Reason.NOT_READY, "away")
        self.told.append((self.taken[ref], outcome))
        return False

    async def release(self, worker_id: str, refs: Sequence[LeaseRef]) -> None:
        self.released.append(worker_id)


class LeapingClock(SystemClock):
    """Jumps ahead, as for a process that was not given the processor."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def leap(self) -> None:
        self.ahead_s += 60.0


def working(
    source: FakeSource, reader: FakeReader, concurrency: int = 2, clock: Clock | None = None
) -> Worker:
    return Worker(
        source,
        reader,
        worker_id="wrk_1",
        name="test",
        concurrency=concurrency,
        clock=clock or SystemClock(),
        random=random.Random(1).random,
        settings=QUICK,
    )


async def test_it_reads_what_there_is_and_tells_it() -> None:
    source = FakeSource(["one", "bad two", "crash three", "gone"], refusals=2)
    async with working(source, FakeReader()) as worker:
        await eventually(lambda: len(source.told) == 4)
    told = dict(source.told)
    assert told["one"] == Done(document("one").SerializeToString())
    reasons = {text: out.reason for text, out in told.items() if isinstance(out, Failure)}
    assert reasons == {"bad two": "IMAGE_CORRUPT", "crash three": "INTERNAL", "gone": "BLOB_NOT_FOUND"}
    statistics = worker.statistics()
    assert (statistics.completed, statistics.failed, statistics.running) == (1, 3, 0)
    assert source.released == ["wrk_1"]


async def test_a_result_is_told_until_the_service_takes_it_and_read_once() -> None:
    source, reader = FakeSource(["one"], away=5), FakeReader()
    async with working(source, reader):
        await eventually(lambda: bool(source.told))
    assert reader.began == {"one": 1}


async def test_what_is_lost_is_dropped_at_once() -> None:
    source, reader = FakeSource(["one", "theirs", "two"], lost={"one"}), FakeReader()
    reader.gate.clear()
    async with working(source, reader) as worker:
        await eventually(lambda: reader.dropped["one"] == 1)
        reader.gate.set()
        await eventually(lambda: bool(source.told))
    assert [text for text, _ in source.told] == ["two"]
    assert worker.statistics().lost == 2


async def test_it_never_holds_more_than_its_concurrency() -> None:
    source, reader = FakeSource([f"page {n}" for n in range(20)]), FakeReader(seconds=0.001)
    async with working(source, reader, concurrency=3):
        await eventually(lambda: len(source.told) == 20)
    assert reader.most == 3


async def test_a_busy_engine_is_waited_for_and_costs_no_attempt() -> None:
    class Busy(FakeReader):
        async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
            self.began["asked"] += 1
            if self.began["asked"] < 4:
                raise DomainError(Reason.QUEUE_FULL, "busy", retry_after_s=0.001)
            return await super().read(content, document_type=document_type, pdf_page=pdf_page, ahead=ahead)

    source = FakeSource(["one"])
    async with working(source, Busy()):
        await eventually(lambda: bool(source.told))
    assert isinstance(source.told[0][1], Done)


async def test_the_first_item_of_an_idle_worker_goes_ahead_of_the_others() -> None:
    order: list[tuple[str, bool]] = []

    class Noting(FakeReader):
        async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
            order.append((content.removeprefix(JPEG).decode(), ahead))
            return await super().read(content, document_type=document_type, pdf_page=pdf_page, ahead=ahead)

    source = FakeSource(["one", "two"])
    async with working(source, Noting()):
        await eventually(lambda: len(source.told) == 2)
    assert sorted(order) == [("one", True), ("two", False)]


async def test_what_is_not_done_within_the_grace_is_given_back() -> None:
    source, reader = FakeSource(["one"]), FakeReader()
    reader.gate.clear()
    async with working(source, reader):
        await eventually(lambda: reader.running == 1)
    assert not source.told
    assert reader.dropped == {"one": 1}
    assert source.released == ["wrk_1"]


async def test_what_was_lost_before_its_reading_began_is_not_begun() -> None:
    clock = LeapingClock()
    source = FakeSource(["slow", "two"], lost={"slow"}, slow={"slow": clock.leap})
    reader = FakeReader()
    async with working(source, reader, concurrency=1, clock=clock):
        await eventually(lambda: bool(source.told))
    assert [text for text, _ in source.told] == ["two"]
    assert reader.began == {"two": 1}


async def test_what_is_still_its_own_after_a_long_wait_is_read() -> None:
    clock = LeapingClock()
    source, reader = FakeSource(["slow"], slow={"slow": clock.leap}), FakeReader()
    async with working(source, reader, clock=clock):
        await eventually(lambda: bool(source.told))
    assert reader.ended == {"slow": 1}
