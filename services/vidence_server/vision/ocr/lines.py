"""The lines of one picture, each read once, in an order that may change while they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from vidence_server.vision.text import TextLine

ReadLine: TypeAlias = Callable[[int], Coroutine[Any, Any, TextLine]]
"""Reads the line of one region, by its index."""


class PageLines:
    """Reads ahead of its consumer, a bounded number of lines at a time.

    An async context manager: leaving cancels what is in flight and waits until it is gone.
    """

    def __init__(self, read: ReadLine, *, ahead: int) -> None:
        self._read = read
        self._ahead = ahead
        self._waiting: deque[int] = deque()
        # The owner of these tasks is this object, not a TaskGroup: one failed line must not end the others
        # before its consumer has asked for it.
        self._reading: dict[int, asyncio.Task[TextLine]] = {}
        self._dropped: set[asyncio.Task[TextLine]] = set()
        self._known: dict[int, TextLine] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [*self._reading.values(), *self._dropped]
        self._reading.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def known(self) -> tuple[int, ...]:
        """Indexes of the lines that were read and asked for, in the order in which they were."""
        return tuple(self._known)

    @property
    def known_lines(self) -> tuple[TextLine, ...]:
        """Those lines."""
        return tuple(self._known.values())

    def want(self, order: Sequence[int]) -> None:
        """Says which regions to read from now on, in which order.

        What is being read and still wanted goes on; what is no longer wanted is cancelled.
        """
        wanted = [index for index in order if index not in self._known]
        for index in set(self._reading).difference(wanted):
            task = self._reading.pop(index)
            task.cancel()
            self._dropped.add(task)
            task.add_done_callback(self._dropped.discard)
        self._waiting = deque(index for index in wanted if index not in self._reading)
        self._fill()

    async def line(self, index: int) -> TextLine:
        """The line of a region that is wanted; raises what reading it raised.

        It is begun at once where what was wanted before still fills the places.
        """
        if index not in self._known:
            if index not in self._reading:
                self._waiting.remove(index)
                self._begin(index)
            line = await self._reading[index]
            self._known[index] = line
            del self._reading[index]
            self._fill()  # before the consumer works on the line: the workers do not wait for it
        return self._known[index]

    def _fill(self) -> None:
        while self._waiting and len(self._reading) < self._ahead:
            self._begin(self._waiting.popleft())

    def _begin(self, index: int) -> None:
        self._reading[index] = asyncio.create_task(self._read(index))
