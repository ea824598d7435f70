"""When subscribers are woken: at once where there is time, together where there is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SHARE = 1 / 8
_MAX_DELAY_S = 0.005


class Pace:
    """Decides between waking now and waking a little later.

    Waking a thousand subscribers keeps the loop busy for tens of milliseconds, in which publishers wait to be
    read. Where one waking follows the last at once, the next waits for an eighth of what the last one took:
    what publishers have on the way then comes along in the same messages. With time between them nothing
    waits.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._took_s = 0.0
        self._ended_s = self._loop.time() - 1.0
        self._scheduled: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """There is something to wake subscribers for."""
        if self._scheduled is not None:
            return
        if self._loop.time() - self._ended_s < self._took_s:
            delay_s = min(_MAX_DELAY_S, self._took_s * _SHARE)
            self._scheduled = self._loop.call_later(delay_s, self._run)
        else:
            self._run()

    def close(self) -> None:
        """Wakes nobody any more."""
        if self._scheduled is not None:
            self._scheduled.cancel()

    def _run(self) -> None:
        self._scheduled = None
        began_s = self._loop.time()
        self._wake()
        # Behind the steps of all who were woken: the loop runs what is ready in its order.
        self._loop.call_soon(self._end, began_s)

    def _end(self, began_s: float) -> None:
        self._ended_s = self._loop.time()
        self._took_s = self._ended_s - began_s
