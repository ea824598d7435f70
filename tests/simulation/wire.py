"""A connection between a server and one watcher: delays, flow control, and an end at any moment."""

from __future__ import annotations

import asyncio
import random
from collections import deque

from simulation.virtual_loop import VirtualLoop
from vidence_client.conformance import Message


class WireCutError(Exception):
    """The connection is gone."""


class WireEndedError(Exception):
    """The server ended the call; `reason` is empty where its status was OK."""

    def __init__(self, reason: str, metadata: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.metadata = metadata or {}


class Wire:
    """Messages from one server to one reader, in order. A full window holds the writer: flow control."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, *, window: int, longest_s: float) -> None:
        self._loop = loop
        self._rng = rng
        self._window = window
        self._longest_s = longest_s
        self._sent: deque[tuple[float, Message]] = deque()
        self._end: WireEndedError | None = None
        self._cut = False
        self._changed: list[asyncio.Future[None]] = []
        self._last_arrival_s = 0.0

    @property
    def cut_off(self) -> bool:
        """Whether it is cut."""
        return self._cut

    async def write(self, message: Message) -> None:
        """Sends a message; waits while the reader has a window full of unread ones.

        Raises:
            WireCutError: The connection is gone.
        """
        while len(self._sent) >= self._window and not self._cut:
            await self._change()
        if self._cut:
            raise WireCutError
        delay_s = self._longest_s * self._rng.random() ** 2
        self._last_arrival_s = max(self._last_arrival_s, self._loop.time() + delay_s)
        self._sent.append((self._last_arrival_s, message))
        self._notify()

    def end(self, reason: str, metadata: dict[str, str] | None = None) -> None:
        """The server ends the call; what was written arrives before that."""
        self._end = WireEndedError(reason, metadata)
        self._notify()

    def cut(self) -> None:
        """Breaks the connection: what has not been read is lost."""
        self._cut = True
        self._sent.clear()
        self._notify()

    async def read(self) -> Message:
        """The next message.

        Raises:
            WireEndedError: The server ended the call.
            WireCutError: The connection broke.
        """
        while True:
            if self._cut:
                raise WireCutError
            if self._sent:
                arrival_s, message = self._sent[0]
                if arrival_s <= self._loop.time():
                    self._sent.popleft()
                    self._notify()
                    return message
                await self._change(arrival_s - self._loop.time())
            elif self._end is not None:
                raise self._end
            else:
                await self._change()

    async def _change(self, timeout_s: float | None = None) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._changed.append(future)
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, _wake, future)
        try:
            await future
        finally:
            if timer is not None:
                timer.cancel()

    def _notify(self) -> None:
        changed, self._changed = self._changed, []
        for future in changed:
            _wake(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
