"""Where blocking work is done: a port, so that a simulation can do it on its own loop, late and slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self, TypeVar

T = TypeVar("T")


class Runner(Protocol):
    """Runs functions elsewhere, begun in the order in which they were given."""

    def run(self, function: Callable[[], T]) -> Awaitable[T]:
        """The result of a function, or what it raised. Giving the awaitable up does not stop the function."""
        ...


class Threads:
    """Threads of one purpose, owned by `async with`.

    The queue before them is not bounded here: who gives them work bounds it.
    """

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Waits until all functions have returned."""
        await asyncio.to_thread(self._executor.shutdown)

    def run(self, function: Callable[[], T]) -> Awaitable[T]:
        """Runs a function in one of the threads."""
        return asyncio.get_running_loop().run_in_executor(self._executor, function)
