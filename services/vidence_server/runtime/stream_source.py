"""Runs the source of a result stream in a task of its own and holds it to its contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.hand_over import HandOver

R = TypeVar("R")


class SourceContractError(Exception):
    """A source broke its contract: it ended without a terminal message, or went on after one."""


class SourceRun(Generic[R]):
    """One source at work, from its start to `stop`.

    The terminal message is handed over only when the source has ended, so that nothing can follow it. The
    source is closed in the task that runs it, as task groups and timeouts inside it ask for.
    """

    def __init__(
        self, source: AsyncIterator[R], box: HandOver[R], is_terminal: Callable[[R], bool], *, name: str
    ) -> None:
        self._source = source
        self._box = box
        self._is_terminal = is_terminal
        self._started = False
        self._task = asyncio.create_task(self._run(), name=name)

    async def stop(self) -> None:
        """Cancels the work where it still runs, and returns when nothing of it is left."""
        self._task.cancel()
        # `wait` neither raises what the task raised nor cancels it when the caller is cancelled once more.
        await asyncio.wait({self._task})
        if not self._started:
            await _close(self._source)

    async def _run(self) -> None:
        """Hands over all that the source makes, then how it ended. Ends in silence where it is cancelled."""
        self._started = True
        error: BaseException | None = None
        try:
            try:
                terminal = await self._messages()
            finally:
                await _close(self._source)
            await self._box.put(terminal)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                return  # raised, it would be kept by the task, and with it what the source worked on
            error = DomainError(Reason.CANCELLED, "The work was cancelled by the server.")
        except Exception as raised:  # noqa: BLE001  # the writer decides what it means
            error = raised
        self._box.end(error)

    async def _messages(self) -> R:
        terminal: R | None = None
        async for message in self._source:
            if terminal is not None:
                raise SourceContractError("message after the terminal message")
            if self._is_terminal(message):
                terminal = message
            else:
                await self._box.put(message)
        if terminal is None:
            raise SourceContractError("no terminal message")
        return terminal


async def _close(source: AsyncIterator[Any]) -> None:
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()
