"""Writes of many sessions, committed together: a disk that syncs once serves all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database, Transaction

Write: TypeAlias = Callable[[Transaction], Awaitable[None]]
"""Changes the database; may be called again where the first transaction failed."""
_GROUP = 128
_WAITING = 8192


class _Waiting(NamedTuple):
    write: Write
    done: asyncio.Future[None]


class GroupCommit:
    """One writer of a database, from the beginning of its context to the end.

    Writes are made in the order in which they came. Bound: 8,192 wait; overflow policy: callers wait too.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None
        self.groups = 0
        """Transactions that were committed for several writes, or for one."""

    async def __aenter__(self) -> Self:
        """Begins to write."""
        self._task = asyncio.create_task(self._run(), name="writer of capture sessions")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes what waits, then stops."""
        if self._task is not None:
            rest = asyncio.create_task(self._waiting.join(), name="last writes")
            await asyncio.wait({rest, self._task}, return_when=asyncio.FIRST_COMPLETED)
            for task in (rest, self._task):
                task.cancel()
            await asyncio.wait({rest, self._task})

    async def write(self, write: Write) -> None:
        """Returns when the change is committed; a caller that is cancelled does not take it back.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        waiting = _Waiting(write, asyncio.get_running_loop().create_future())
        await self._waiting.put(waiting)
        await waiting.done

    async def _run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while len(group) < _GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            try:
                await self._commit(group)
            except Exception:  # noqa: BLE001  # one wrong write must not fail those beside it
                for waiting in group:
                    await self._commit_alone(waiting)
            finally:
                for _ in group:
                    self._waiting.task_done()

    async def _commit(self, group: list[_Waiting]) -> None:
        async with self._database.transaction() as transaction:
            for waiting in group:
                await waiting.write(transaction)
        self.groups += 1
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_result(None)

    async def _commit_alone(self, waiting: _Waiting) -> None:
        try:
            await self._commit([waiting])
        except DomainError as error:
            _fail(waiting, error)
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
            failed = DomainError(Reason.STORAGE_FAILED, "The change could not be written.", retry_after_s=1.0)
            failed.__cause__ = error
            _fail(waiting, failed)


def _fail(waiting: _Waiting, error: DomainError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
