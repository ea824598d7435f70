"""Keeps several messages of one publisher in work, and gives their results in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

M = TypeVar("M")
R = TypeVar("R")
T = TypeVar("T")


class PublishPipeline(Generic[M, R]):
    """From the first message to the last result; owns its tasks, from `async with` to its end.

    Messages are begun in their order and wait for their commit together. Bound: `limit` messages in work;
    overflow policy: the next one is not read.
    """

    def __init__(
        self,
        messages: AsyncIterator[M],
        publish: Callable[[M], Coroutine[Any, Any, R]],
        *,
        stop: asyncio.Event,
        limit: int,
    ) -> None:
        """A pipeline at rest.

        Args:
            messages: What is published.
            publish: Does it; must reach the log's queue before it waits for anything, so that order is kept.
            stop: Ends the reading: what was read is still answered.
            limit: Messages in work.
        """
        self._messages = messages
        self._publish = publish
        self._stop = stop
        self._room = asyncio.Semaphore(limit)
        self._in_work: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()  # bound: `limit` by `_room`
        self._tasks: set[asyncio.Task[Any]] = set()  # bound: `limit` and two
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        """Begins to read."""
        reading = self._own(self._read())
        self._own(self._stop_reading(reading))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops what still runs, and returns when nothing of it is left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def next(self) -> R | None:
        """The result of the next message; None after the last one.

        Raises:
            Exception: What reading or publishing raised; of reading, when all that was read has its result.
        """
        publishing = await self._in_work.get()
        if publishing is None:
            if self._failure is not None:
                raise self._failure
            return None
        try:
            return await publishing
        finally:
            self._tasks.discard(publishing)
            self._room.release()

    async def _read(self) -> None:
        try:
            async for message in self._messages:
                await self._room.acquire()
                self._in_work.put_nowait(self._own(self._publish(message)))
        except Exception as error:  # noqa: BLE001  # given to whoever asks for the next result
            self._failure = error
        finally:
            self._in_work.put_nowait(None)

    async def _stop_reading(self, reading: asyncio.Task[None]) -> None:
        await self._stop.wait()
        reading.cancel()

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name="publish pipeline")
        self._tasks.add(task)
        return task
