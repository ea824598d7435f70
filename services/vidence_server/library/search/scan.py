"""Threads that scan parts of one index at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
P = TypeVar("P")


class ScanThreads:
    """A fixed number of threads, from the beginning of the context to the end.

    All indexes of a process share them. The thread that searches scans the first part itself, so `count`
    threads work for one search and `count - 1` of them are owned here. What waits is bounded by those who
    search: each has at most `count - 1` parts waiting.
    """

    def __init__(self, count: int) -> None:
        """Threads at rest.

        Args:
            count: Threads per search, at least 1; the cores of the process are a good number.
        """
        if count < 1:
            raise ValueError("at least one thread scans")
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Starts the threads when they are needed."""
        if self.count > 1:
            self._pool = ThreadPoolExecutor(self.count - 1, "scan")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Waits for scans that run, then ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def map(self, function: Callable[[P], T], parts: Sequence[P]) -> list[T]:
        """Applies a function to all parts at once; the results have their order.

        Worth it for functions that leave the interpreter, as numpy does. Outside of the context, and with one
        part, everything runs in the calling thread.
        """
        if self._pool is None or len(parts) < 2:
            return [function(part) for part in parts]
        others: list[Future[T]] = [self._pool.submit(function, part) for part in parts[1:]]
        return [function(parts[0]), *(other.result() for other in others)]
