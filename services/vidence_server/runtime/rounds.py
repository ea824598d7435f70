"""Work that comes round again and that nobody asks for: retention, the rescue of what is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog


@dataclass(frozen=True, slots=True)
class Round:
    """Work that is done again and again."""

    work: Callable[[], Awaitable[Any]]
    period_s: float
    """From the end of one round to the beginning of the next."""
    name: str
    """Of its task."""
    complaint: str
    """What the log says where a round fails."""
    at_once: bool = False
    """Whether the first round begins with the context, not a period later."""


class Rounds:
    """A task for each kind of work, from the beginning of its context to the end.

    A round that fails is logged, and the next one tries again.
    """

    def __init__(self, *rounds: Round) -> None:
        self._rounds = rounds
        self._tasks: list[asyncio.Task[None]] = []  # bound: one for each
        self._log = structlog.get_logger(__name__)

    async def __aenter__(self) -> Self:
        """Begins."""
        self._tasks = [asyncio.create_task(self._again(each), name=each.name) for each in self._rounds]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the tasks, in the middle of a round too."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _again(self, each: Round) -> None:
        if not each.at_once:
            await asyncio.sleep(each.period_s)
        while True:
            try:
                await each.work()
            except Exception as error:  # noqa: BLE001  # the next round tries again
                self._log.warning(each.complaint, exc_info=error)
            await asyncio.sleep(each.period_s)
