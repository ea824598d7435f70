"""The thread in which a publisher sends."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vidence_client.channel import RetryPolicy
from vidence_client.errors import VidenceError
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.connection import GrpcLine, Line
from vidence_client.publishing.forking import FORKS
from vidence_client.publishing.relay import RelayLine
from vidence_client.publishing.sender import ErrorListener, Sender


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """What a sender is made with; see `Sender`."""

    address: str
    on_error: ErrorListener | None
    retry: RetryPolicy
    randomness: random.Random


class SenderThread:
    """One event loop in one daemon thread that sends what a buffer holds.

    Args:
        buffer: Where the events are.
        settings: What the sender is made with.
        resting: Called, in the thread, when it has nothing to send, and when it ends.
    """

    def __init__(self, buffer: Buffer, settings: SenderSettings, resting: Callable[[], None]) -> None:
        self._buffer = buffer
        self._settings = settings
        self._resting = resting
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._sender: Sender | None = None
        # a daemon: a forgotten publisher must not keep the program from ending
        self._thread = threading.Thread(target=self._run, name="vidence-publisher", daemon=True)
        self._thread.start()

    @property
    def last_failure(self) -> VidenceError | None:
        """Why the last connection broke."""
        return self._sender.last_failure if self._sender is not None else None

    def is_alive(self) -> bool:
        """Tells whether it sends."""
        return self._thread.is_alive()

    def is_current(self) -> bool:
        """Tells whether this is called in the thread itself."""
        return threading.current_thread() is self._thread

    def wake(self) -> None:
        """Tells that there is something to send."""
        if self._loop is not None and self._sender is not None:  # else it has not looked yet
            with suppress(RuntimeError):  # the loop has just ended; whoever stops it knows
                self._loop.call_soon_threadsafe(self._sender.wake)

    def stop(self, timeout: float) -> None:
        """Ends it; what has no answer stays in the buffer. Waits at most `timeout` seconds."""
        if self._ready.wait(timeout) and self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if not self.is_current():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError), asyncio.Runner() as runner:
                runner.run(self._send())
        finally:
            self._ready.set()
            self._resting()

    async def _send(self) -> None:
        settings = self._settings
        line: Line = (RelayLine if FORKS.grpc_is_lost else GrpcLine)(settings.address)
        self._sender = Sender(
            self._buffer,
            line,
            on_error=settings.on_error,
            retry=settings.retry,
            randomness=settings.randomness,
        )
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._sender.run(self._resting)
