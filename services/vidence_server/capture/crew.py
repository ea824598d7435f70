"""Tasks of a service: every one has an owner, and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog


class TaskCrew:
    """Owns tasks from `spawn` to their end. Bound: what its user spawns, three a session and two here."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger(__name__)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work in a task; a defect in it is logged and ends nothing else."""
        task = asyncio.create_task(work, name="capture")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def end(self) -> None:
        """Ends all of them, those too that they spawn meanwhile."""
        while self._tasks:
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("work of a session failed", exc_info=error)
