from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventually import eventually
from vidence_server.event.pipeline import PublishPipeline


class Work:
    """Publishing under the control of a test."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.cancelled: list[int] = []

    async def publish(self, message: int) -> int:
        self.begun.append(message)
        gate = self.gates.setdefault(message, asyncio.Event())
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(message)
            raise
        return message * 10

    def finish(self, message: int) -> None:
        self.gates.setdefault(message, asyncio.Event()).set()


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def for_ever() -> AsyncIterator[int]:
    yield 0
    await asyncio.Event().wait()


async def taken(pipeline: PublishPipeline[int, int], count: int | None = None) -> list[int]:
    """The next results: so many, or all of them."""
    results: list[int] = []
    while (count is None or len(results) < count) and (more := await pipeline.next()):
        results += more
    return results


async def test_results_that_are_there_come_together_and_those_before_a_failure_first() -> None:
    async def publish(message: int) -> int:
        if message == 2:
            raise RuntimeError("refused")
        return message

    async with PublishPipeline(numbers(4), publish, stop=asyncio.Event(), limit=8) as pipeline:
        await eventually(lambda: len(asyncio.all_tasks()) <= 2)
        assert await pipeline.next() == [0, 1]
        with pytest.raises(RuntimeError, match="refused"):
            await pipeline.next()
        assert await pipeline.next() == [3]


async def test_results_come_in_the_order_of_the_messages() -> None:
    work = Work()
    async with PublishPipeline(numbers(3), work.publish, stop=asyncio.Event(), limit=8) as pipeline:
        for message in (2, 1, 0):
            work.finish(message)
        assert await taken(pipeline) == [0, 10, 20]
    assert work.begun == [0, 1, 2]


async def test_messages_beyond_the_limit_are_not_begun() -> None:
    work = Work()
    async with PublishPipeline(numbers(10), work.publish, stop=asyncio.Event(), limit=3) as pipeline:
        await eventually(lambda: len(work.begun) == 3)
        work.finish(0)
        assert await pipeline.next() == [0]
        await eventually(lambda: len(work.begun) == 4)
    assert work.begun == [0, 1, 2, 3]


async def test_leaving_cancels_what_is_in_work() -> None:
    work = Work()
    async with PublishPipeline(numbers(3), work.publish, stop=asyncio.Event(), limit=8):
        await eventually(lambda: len(work.begun) == 3)
    assert sorted(work.cancelled) == [0, 1, 2]


async def test_what_was_read_is_answered_before_the_failure_of_reading() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 0
        yield 1
        raise RuntimeError("cut")

    work = Work()
    work.finish(0)
    work.finish(1)
    async with PublishPipeline(broken(), work.publish, stop=asyncio.Event(), limit=8) as pipeline:
        assert await taken(pipeline, 2) == [0, 10]
        with pytest.raises(RuntimeError, match="cut"):
            await pipeline.next()


async def test_a_stop_ends_the_reading_and_what_was_read_is_answered() -> None:
    work, stop = Work(), asyncio.Event()
    async with PublishPipeline(for_ever(), work.publish, stop=stop, limit=8) as pipeline:
        await eventually(lambda: work.begun == [0])
        stop.set()
        work.finish(0)
        assert await pipeline.next() == [0]
        assert await pipeline.next() == ()
