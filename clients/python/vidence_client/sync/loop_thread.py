"""One event loop in a background thread, for plain code."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from vidence_client.errors import VidenceError

T = TypeVar("T")


class LoopThread:
    """One event loop in one daemon thread; runs coroutines for other threads.

    Ends by `close`, when nothing refers to it any more, and at the latest when the program ends.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._last: list[Callable[[], Awaitable[None]]] = []
        self._loop = asyncio.new_event_loop()
        # a daemon: a forgotten client must not keep the program from ending
        thread = threading.Thread(target=_run_loop, args=(self._loop,), name="vidence-client", daemon=True)
        thread.start()
        self._finalizer = weakref.finalize(self, _end_loop, self._loop, thread, self._process, self._last)

    def before_end(self, last: Callable[[], Awaitable[None]]) -> None:
        """Has `last` run on the loop before it ends."""
        self._last.append(last)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs `coroutine` on the loop and waits; an interrupt of the waiting thread cancels it.

        Raises:
            RuntimeError: The loop has ended, or belongs to another process.
            VidenceError: The loop ended while the coroutine ran.
        """
        if os.getpid() != self._process:
            coroutine.close()
            raise RuntimeError("this client was made before a fork; make a new one in this process")
        with self._lock:  # nothing may be handed to a loop that is about to end: nobody would answer
            if not self._finalizer.alive:
                coroutine.close()
                raise RuntimeError("this client is closed")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise VidenceError.closed_here() from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends the loop and its thread. May be called again; does nothing in a forked process."""
        if os.getpid() == self._process:
            with self._lock:
                self._finalizer()


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """The thread: knows the loop only, so that a forgotten `LoopThread` can be collected."""
    try:
        loop.run_forever()
    finally:
        loop.close()


def _end_loop(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    process: int,
    last: Sequence[Callable[[], Awaitable[None]]],
) -> None:
    """Ends the loop after what must come last; nobody is left waiting for a task of it."""
    if os.getpid() != process:
        return  # a fork has neither the thread nor the connection
    ended = asyncio.run_coroutine_threadsafe(_finish(last), loop)
    ended.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
    if threading.current_thread() is not thread:  # the collector may call from any thread
        thread.join()


async def _finish(last: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for step in last:
        await step()
    remaining = asyncio.all_tasks() - {asyncio.current_task()}
    for task in remaining:
        task.cancel()
    await asyncio.gather(*remaining, return_exceptions=True)
