"""Hands a stream's messages from the task that makes them to the task that writes them."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Generic, TypeVar

from vidence_server.core.clock import Clock

T = TypeVar("T")
# Timers of event loops may fire a millisecond early; without this a heartbeat would be waited for twice.
_TIMER_SLACK_S = 0.001


class Signal(Enum):
    """What `HandOver.take` gives when it gives no message."""

    QUIET = auto()
    """Nothing was taken for the whole period."""
    END = auto()
    """The source ended and everything it made was taken."""


class HandOver(Generic[T]):
    """A bounded queue between one source and one writer of the same event loop.

    Overflow policy: a full queue holds the source back. One timer serves the whole stream: it is set again
    when it fires, not with each message.
    """

    def __init__(self, *, capacity: int, period_s: float, clock: Clock) -> None:
        self._capacity = capacity
        self._period_s = period_s
        self._clock = clock
        self._items: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._interruption: BaseException | None = None
        self._taker: asyncio.Future[None] | None = None
        self._putter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = clock.monotonic()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: T) -> None:
        """Adds a message; waits while the queue is full."""
        while len(self._items) >= self._capacity:
            self._putter = asyncio.get_running_loop().create_future()
            await self._putter
        self._items.append(item)
        _wake(self._taker)

    def end(self, error: BaseException | None) -> None:
        """The source is over, by `error` if that is set; the writer learns it after the last message."""
        self._ended = True
        self._error = error
        _wake(self._taker)

    def interrupt(self, error: BaseException) -> None:
        """Makes the writer's next `take` raise `error`, whatever is still queued."""
        self._interruption = error
        _wake(self._taker)

    async def take(self) -> T | Signal:
        """The next message, `QUIET` when the period passed without one, or `END`.

        The period starts anew with each call: a call means that what was taken before is written.

        Raises:
            BaseException: The error that ended the source, or the interruption.
        """
        self._last_s = self._clock.monotonic()
        while True:
            if self._interruption is not None:
                raise self._interruption
            if self._items:
                _wake(self._putter)
                return self._items.popleft()
            if self._ended:
                if self._error is not None:
                    raise self._error
                return Signal.END
            if self._quiet_s() >= self._period_s:
                return Signal.QUIET
            await self._wait()

    def close(self) -> None:
        """Ends the timer. Nothing is taken any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._period_s - self._quiet_s(), self._look)
        self._taker = loop.create_future()
        await self._taker

    def _look(self) -> None:
        left_s = self._period_s - self._quiet_s()
        if left_s > 0:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._look)
        else:
            self._timer = None
            _wake(self._taker)

    def _quiet_s(self) -> float:
        return self._clock.monotonic() - self._last_s + _TIMER_SLACK_S


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
