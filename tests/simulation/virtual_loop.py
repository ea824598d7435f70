"""An asyncio event loop without threads, sockets or waiting: time jumps, order is drawn from a seed."""

from __future__ import annotations

import asyncio
import random
from asyncio import base_events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_STEP_S = 20e-6
_LATE_S = 0.02


class DeadlockError(Exception):
    """Nothing is ready, no timer is set, and what is waited for has not happened."""


class RunawayError(Exception):
    """More steps than any history takes: something runs without ever waiting."""


class _Selector:
    """Stands where the loop asks the system for input: there is none, only time that passes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.now_s = 0.0
        self.steps_left = 0

    def select(self, timeout_s: float | None) -> list[Any]:
        """Lets time pass: up to the next timer, and sometimes further, as on a busy machine."""
        self.steps_left -= 1
        if self.steps_left < 0:
            raise RunawayError
        if timeout_s is None:
            raise DeadlockError
        late_s = _LATE_S * self._rng.random() if self._rng.random() < 0.02 else 0.0
        self.now_s += max(timeout_s, 0.0) + _STEP_S + late_s
        return []

    def close(self) -> None:
        """Has nothing to close."""


class VirtualLoop(base_events.BaseEventLoop):
    """Runs coroutines in virtual time.

    What asyncio guarantees is kept: callbacks run in the order of their registration, timers not before
    their time. What it does not promise is drawn: the order of tasks that became ready with no callback
    between them, and how late a timer is.
    """

    _selector: _Selector
    _ready: deque[asyncio.Handle]

    def __init__(self, rng: random.Random, *, max_steps: int = 4_000) -> None:
        super().__init__()
        self._rng = rng
        self._selector = _Selector(rng)
        self._selector.steps_left = max_steps
        self.unhandled: list[str] = []
        """What no task took care of: errors in callbacks, exceptions never looked at."""
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._selector.now_s

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end, and ends everything that it left behind.

        Raises:
            DeadlockError: It waits for something that nobody will do.
            RunawayError: It never ends.
        """
        try:
            return self.run_until_complete(main)
        finally:
            self._selector.steps_left = max(self._selector.steps_left, 1_000)
            self._end_all()
            self.close()

    def run_in_executor(  # type: ignore[override]  # refused for everything
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Refused: a thread would not be repeatable."""
        raise RuntimeError("a simulation has no threads")

    def _end_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks(self) if not task.done()]
        # `all_tasks` is a set: the order of its addresses is not repeatable.
        tasks.sort(key=lambda task: task.get_name())
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.unhandled.append(f"{context['message']}: {error!r}")

    def _run_once(self) -> None:
        self._shuffle_tasks()
        super()._run_once()  # type: ignore[misc]  # a private method: the stubs leave it out

    def _shuffle_tasks(self) -> None:
        """Permutes the steps of different tasks that stand next to each other."""
        if len(self._ready) < 2:
            return
        drawn: list[asyncio.Handle] = []
        stretch: list[asyncio.Handle] = []
        for handle in self._ready:
            if _is_step(handle):
                stretch.append(handle)
                continue
            self._rng.shuffle(stretch)
            drawn += [*stretch, handle]
            stretch = []
        self._rng.shuffle(stretch)
        self._ready.clear()
        self._ready.extend([*drawn, *stretch])

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""


def _is_step(handle: asyncio.Handle) -> bool:
    callback: Callable[..., Any] | None = getattr(handle, "_callback", None)
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)
