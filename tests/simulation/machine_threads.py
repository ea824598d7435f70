"""Threads of a simulated process: greenlets, each of which runs until it touches the disk."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # ships no types

from simulation.virtual_loop import VirtualLoop

T = TypeVar("T")


class ProcessKilled(BaseException):
    """The process is no more: nothing but the machine may catch it."""


class MachineThreads:
    """A `Runner`: starts functions in the order in which they were given, at most `count` at a time.

    A function starts after a drawn delay and goes on alone; where it calls `pause`, everything else may run
    before it goes on. So the event loop sees each of its steps, as it would beside a real thread.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random, *, count: int, longest_s: float) -> None:
        self._loop = loop
        self._free = count
        self._queue: deque[greenlet] = deque()
        self._rng = rng
        self._longest_s = longest_s
        self._paused: dict[greenlet, asyncio.TimerHandle] = {}
        self.dead = False

    def run(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a function beside the loop; the future has its result."""
        done: asyncio.Future[T] = self._loop.create_future()

        def body() -> None:
            try:
                result = function()
            except ProcessKilled:
                return
            except BaseException as error:  # noqa: BLE001 - a thread hands every error over
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)
            self._free += 1
            self._start()

        if not self.dead:
            self._queue.append(greenlet(body))
            self._start()
        return done

    def pause(self) -> None:
        """Lets the rest of the machine run; outside of `run` it does nothing."""
        thread = getcurrent()
        if thread.parent is None:
            return
        self._later(thread)
        thread.parent.switch()
        if self.dead:
            raise ProcessKilled

    def kill(self) -> None:
        """Ends all functions where they are."""
        self.dead = True
        self._queue.clear()
        paused, self._paused = self._paused, {}
        for thread, timer in paused.items():
            timer.cancel()
            if thread:  # it has begun
                thread.throw(ProcessKilled)

    def _start(self) -> None:
        while self._free and self._queue:
            self._free -= 1
            self._later(self._queue.popleft())

    def _later(self, thread: greenlet) -> None:
        delay_s = self._longest_s * self._rng.random() ** 3
        self._paused[thread] = self._loop.call_later(delay_s, self._go_on, thread)

    def _go_on(self, thread: greenlet) -> Any:
        del self._paused[thread]
        thread.switch()
