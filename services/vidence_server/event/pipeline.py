"""Keeps several messages of one publisher in work, and gives their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
        self._in_work: deque[asyncio.Task[R] | None] = deque()  # bound: `limit` by `_room`; None: the end
        self._filled = asyncio.Event()
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

    async def next(self) -> Sequence[R]:
        """The results of the next messages, all that are there, at least one; none after the last message.

        Raises:
            Exception: What reading or publishing raised, when all before it have given their result.
        """
        while not self._in_work:
            self._filled.clear()
            await self._filled.wait()
        first = self._in_work[0]
        if first is None:
            if self._failure is not None:
                raise self._failure
            return ()
        await asyncio.wait({first})
        results: list[R] = []
        while (task := self._in_work[0]) is not None and task.done():
            if results and task.exception() is not None:
                break
            self._in_work.popleft()
            self._tasks.discard(task)
            self._room.release()
            results.append(task.result())
            if not self._in_work:
                break
        return results

    def _add(self, task: asyncio.Task[R] | None) -> None:
        self._in_work.append(task)
        self._filled.set()

    async def _read(self) -> None:
        try:
            async for message in self._messages:
                await self._room.acquire()
                self._add(self._own(self._publish(message)))
        except Exception as error:  # noqa: BLE001  # given to whoever asks for the next result
            self._failure = error
        finally:
            self._add(None)

    async def _stop_reading(self, reading: asyncio.Task[None]) -> None:
        await self._stop.wait()
        reading.cancel()

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name="publish pipeline")
        self._tasks.add(task)
        return task
