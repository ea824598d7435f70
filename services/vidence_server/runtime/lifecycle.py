"""From start to stop: serves until a signal says otherwise, then ends well."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from vidence_server.runtime.heap import settled_heap
from vidence_server.runtime.server import RpcServer

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve_until_signal(
    server: RpcServer, *, warm_up: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serves until SIGTERM or SIGINT, then drains; a second signal stops at once.

    Runs in the main thread, where signals arrive.

    Args:
        server: A server that listens.
        warm_up: Makes the services ready, while health and metrics answer already. A signal cancels it; what
            it raises ends the serving.
    """
    log = structlog.get_logger(__name__)
    with _signals() as received:
        await _until(received, _warm(warm_up))
        log.info("stopping")
        await _until(received, server.drain())
    await server.stop(0)


async def until_signal() -> None:
    """Returns at the first SIGTERM or SIGINT; for processes that serve nothing. Runs in the main thread."""
    with _signals() as received:
        await received.get()


@contextmanager
def _signals() -> Iterator[asyncio.Queue[signal.Signals]]:
    """The signals that ask the process to stop, as they come; two are enough, further ones are dropped."""
    received: asyncio.Queue[signal.Signals] = asyncio.Queue(maxsize=2)
    loop = asyncio.get_running_loop()

    def note(number: signal.Signals) -> None:
        with suppress(asyncio.QueueFull):
            received.put_nowait(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, note, number)
    try:
        yield received
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _warm(warm_up: Callable[[], Awaitable[None]] | None) -> None:
    """Warms up, then runs until it is cancelled."""
    if warm_up is not None:
        await warm_up()
    with settled_heap():
        await asyncio.Event().wait()


async def _until(received: asyncio.Queue[signal.Signals], work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end or to the next signal, which cancels it. Raises what `work` raises."""
    working = asyncio.create_task(work)
    signalled = asyncio.create_task(received.get())
    tasks = {working, signalled}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
