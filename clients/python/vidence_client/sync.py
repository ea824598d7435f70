"""The SDK for plain code: the same calls, run on one event loop in a background thread.

Objects of this module may be used from any thread, also where an event loop runs already. A client belongs to
the process that made it: after a fork, make a new one.

A program that forks while a client is open must be started with `GRPC_ENABLE_FORK_SUPPORT=0`: gRPC's own fork
handlers are skipped while its poller runs, and the child process may then crash before any code of this
module sees it.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from vidence.extraction.v1 import document_pb2, extraction_service_pb2
from vidence_client import client as asynchronous
from vidence_client.channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S, RetryPolicy
from vidence_client.errors import VidenceError
from vidence_client.extraction import ExtractionClient as AsyncExtractionClient
from vidence_client.extraction import Response
from vidence_client.stream import Stream as AsyncStream

T = TypeVar("T")
R = TypeVar("R")


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


class Stream(Generic[R]):
    """The messages of one streaming call, for plain code; see `vidence_client.Stream`.

    An iterator and context manager; leaving the context cancels the call. `close` may be called from another
    thread: then the iteration ends.
    """

    def __init__(self, stream: AsyncStream[R], thread: LoopThread) -> None:
        self._stream = stream
        self._thread = thread

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        """Returns the next message.

        Raises:
            StopIteration: The stream is complete, or was closed here.
            VidenceError: It failed, fell silent or broke a guarantee; `ServerUnreachable`: the peer is gone.
        """
        step = _next_of(self._stream)
        message = self._thread.run(step)
        if message is None:
            raise StopIteration
        return message

    def close(self) -> None:
        """Ends the stream; a call that still runs is cancelled. May be called again."""
        self._thread.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ExtractionClient:
    """Reads documents, for plain code; see `vidence_client.extraction.ExtractionClient`."""

    def __init__(self, client: AsyncExtractionClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def extract(
        self,
        content: bytes | Path,
        *,
        document_type: str = "",
        pdf_page: int = 0,
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[Response]:
        """Reads one document and streams each field; arguments as in the asynchronous client."""
        stream = self._client.extract(
            content,
            document_type=document_type,
            pdf_page=pdf_page,
            heartbeat_period_s=heartbeat_period_s,
            timeout=timeout,
        )
        return Stream(stream, self._thread)

    def read(
        self,
        content: bytes | Path,
        *,
        document_type: str = "",
        pdf_page: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> extraction_service_pb2.ReadDocumentResponse:
        """Reads one document and answers once; arguments and errors as in the asynchronous client."""
        reading = self._client.read(content, document_type=document_type, pdf_page=pdf_page, timeout=timeout)
        return self._thread.run(reading)

    def list_document_types(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Sequence[document_pb2.DocumentType]:
        """Lists the document types that can be read; errors as in the asynchronous client."""
        return self._thread.run(self._client.list_document_types(timeout=timeout))


class Client:
    """Talks to a Vidence server from plain code; arguments as in `vidence_client.Client`.

    Closed by leaving its context, by `close`, and at the latest when the program ends.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._thread = LoopThread()
        client = self._thread.run(_make(address, retry, randomness))
        self._thread.before_end(client.close)
        self.address = address
        self.extraction = ExtractionClient(client.extraction, self._thread)

    def close(self) -> None:
        """Closes the connection; calls that still run are cancelled. May be called again."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _make(
    address: str, retry: RetryPolicy | None, randomness: random.Random | None
) -> asynchronous.Client:
    """Makes the client inside the loop that it will use."""
    return asynchronous.Client(address, retry=retry, randomness=randomness)


async def _next_of(stream: AsyncStream[R]) -> R | None:
    """Returns the next message, or None at the end: a StopAsyncIteration cannot cross threads as such."""
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None


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
