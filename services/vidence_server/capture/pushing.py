"""Calls that push frames: one a session, each until the client, the session or the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from vidence_server.core.errors import DomainError, Reason

M = TypeVar("M")


class Incoming(Generic[M]):
    """The messages of a client, until the client is done or something else ends the call.

    Owns one task, from the first message to `close`.
    """

    def __init__(self, messages: AsyncIterator[M], draining: asyncio.Event) -> None:
        self._messages = aiter(messages)
        self._draining = draining
        self._reading: asyncio.Task[M | None] | None = None
        self._drained: asyncio.Task[bool] | None = None

    async def next(self, end: asyncio.Future[DomainError | None] | None = None) -> M | None:
        """The next message; None: the client is done, or `end` came.

        Raises:
            DomainError: What `end` holds; DRAINING.
        """
        if self._drained is None:
            self._drained = asyncio.create_task(self._draining.wait(), name="drain of a camera's call")
        self._reading = asyncio.create_task(self._read(), name="camera's next message")
        waited: set[asyncio.Future[object]] = {self._reading, self._drained}  # type: ignore[arg-type]  # results unused
        if end is not None:
            waited.add(end)  # type: ignore[arg-type]  # the same
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if end is not None and end.done():
            error = end.result()
            if error is not None:
                raise error
            return None
        if self._reading.done():
            return self._reading.result()
        raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)

    async def close(self) -> None:
        """Ends the reading; returns when nothing of it is left."""
        tasks = {task for task in (self._reading, self._drained) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _read(self) -> M | None:
        return await anext(self._messages, None)


class PusherSeat:
    """Of one session: taken by one call at a time, the newest."""

    def __init__(self) -> None:
        self._end: asyncio.Future[DomainError | None] | None = None

    @property
    def taken(self) -> bool:
        """Whether a call pushes now."""
        return self._end is not None

    def replace(self) -> asyncio.Future[DomainError | None]:
        """A call takes the seat; the one that has it ends. Gives the new one's end."""
        self.end(DomainError(Reason.PUSHER_REPLACED, "Another call pushes the frames of this session now."))
        self._end = asyncio.get_running_loop().create_future()
        return self._end

    def end(self, error: DomainError | None) -> None:
        """Ends the call that pushes; None: the session is over."""
        if self._end is not None and not self._end.done():
            self._end.set_result(error)
        self._end = None

    def leave(self, end: asyncio.Future[DomainError | None]) -> None:
        """A call that pushed is over; `end` is its own."""
        if self._end is end:
            self._end = None
