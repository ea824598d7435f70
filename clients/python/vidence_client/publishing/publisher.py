"""Publishing from any kind of code, without waiting for the network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Self

import grpc
from google.protobuf.message import Message

from vidence.event.v1 import event_pb2
from vidence_client.channel import DEFAULT_ADDRESS, RetryPolicy
from vidence_client.errors import ClientReason, VidenceError
from vidence_client.publishing.batch import Complete
from vidence_client.publishing.buffer import OnFull
from vidence_client.publishing.encoding import MAX_EVENT_BYTES, MIN_BUFFER_BYTES, make_event
from vidence_client.publishing.process import ProcessSettings, PublishingProcess
from vidence_client.publishing.sender import ErrorListener
from vidence_client.publishing.statistics import PublisherStatistics


class Publisher:
    """Publishes events from plain functions, threads and asynchronous code alike.

    `publish…` puts the event into a buffer and returns; a thread of the publisher's own sends it. It may be
    called from any thread, before an event loop runs, while one runs, after it closed, and in a forked
    process: a child begins with an empty buffer, ids and a connection of its own, and the parent sends what
    it held. Every event gets an id, and what has no answer is sent again after a break: nothing is lost and
    nothing is stored twice while the process lives.

    A program that forks while it has a `Client` open beside the publisher must be started with
    `GRPC_ENABLE_FORK_SUPPORT=0`, as without a publisher (see `vidence_client.sync`).

    What waits when the program ends is sent then, for at most `exit_timeout_s`. A process that is killed, or
    ends by `os._exit`, takes with it what waits: call `flush` first.

    Args:
        address: `host:port`, or `unix:/path/to/socket`.
        source: Who tells the events: a URI reference.
        durability: What events must survive before they count as acknowledged; unspecified: WRITTEN.
        buffer_events: Most events that wait, those sent and not acknowledged included.
        buffer_bytes: Most bytes of theirs, 65,536 at least.
        on_full: What to do when the buffer is full.
        block_timeout_s: How long `OnFull.BLOCK` waits for room before it raises; None: for ever.
        on_error: Hears, in the publisher's thread, of every event that the server refused for good.
        exit_timeout_s: How long the end of the program waits for events to be sent.
        retry: Bounds of the pauses between connections; its `attempts` do not count.

    Raises:
        ValueError: `source` is empty, or a bound of the buffer is too small.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        source: str,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
        buffer_events: int = 65_536,
        buffer_bytes: int = 64 * 1024 * 1024,
        on_full: OnFull = OnFull.BLOCK,
        block_timeout_s: float | None = None,
        on_error: ErrorListener | None = None,
        exit_timeout_s: float = 5.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        if not source or buffer_events < 1 or buffer_bytes < MIN_BUFFER_BYTES:
            raise ValueError(f"a publisher needs a source, room for an event and {MIN_BUFFER_BYTES} bytes")
        self.address = address
        self.source = source
        self._on_full = on_full
        self._block_timeout_s = block_timeout_s
        self._process = PublishingProcess(
            ProcessSettings(
                address=address,
                source=source,
                durability=durability,
                buffer_events=buffer_events,
                buffer_bytes=buffer_bytes,
                drop_oldest=on_full is OnFull.DROP_OLDEST,
                on_error=on_error,
                exit_timeout_s=exit_timeout_s,
                retry=retry or RetryPolicy(),
            )
        )

    def publish(
        self,
        type: str,  # noqa: A002 - the field's name
        *,
        subject: str = "",
        id: str = "",  # noqa: A002 - the field's name
        sequence: int = 0,
        data: Message | None = None,
        content: bytes = b"",
        content_type: str = "",
        occurrence_time: datetime | None = None,
        severity: event_pb2.Severity.ValueType = event_pb2.SEVERITY_UNSPECIFIED,
        attributes: Mapping[str, str] | None = None,
    ) -> bool:
        """Publishes an event; arguments as in `make_event`, errors as in `publish_encoded`."""
        event = make_event(
            type,
            subject=subject,
            id=id,
            sequence=sequence,
            data=data,
            content=content,
            content_type=content_type,
            occurrence_time=occurrence_time,
            severity=severity,
            attributes=attributes,
        )
        return self.publish_encoded(self._encoded(event) if id else event.SerializeToString())

    def publish_event(self, event: event_pb2.Event) -> bool:
        """Publishes an event; its source and id are kept where it has them. Errors: `publish_encoded`."""
        return self.publish_encoded(self._encoded(event))

    def publish_encoded(self, event: bytes) -> bool:
        """Publishes an encoded `vidence.event.v1.Event`.

        The publisher appends its source and an id, which replace those that the event may have.

        Returns:
            Whether the event was taken; False only where `on_full` drops it.

        Raises:
            VidenceError: BUFFER_FULL where `on_full` says so, after `block_timeout_s`, or where BLOCK would
                block a running event loop: await `publish_async` there. EVENT_TOO_LARGE.
            RuntimeError: The publisher is closed.
        """
        process = self._process
        buffer = process.buffer
        if len(buffer.inbox) < buffer.room and len(event) <= MAX_EVENT_BYTES:
            buffer.inbox.append(event)
            if not process.awake:
                process.wake()
            return True
        while not self._offered(event):
            if self._on_full is not OnFull.BLOCK:
                return False
            if _loop_runs():
                raise _full("await `publish_async`: waiting here would block the event loop")
            self._wait(self._process.buffer.wait_for_room())
        return True

    async def publish_async(self, event: event_pb2.Event | bytes) -> bool:
        """Publishes an event, encoded or not, as `publish_event` and `publish_encoded` do.

        Where the buffer is full and `on_full` is BLOCK, this task waits for room; others go on.
        """
        encoded = event if isinstance(event, bytes) else self._encoded(event)
        while not self._offered(encoded):
            if self._on_full is not OnFull.BLOCK:
                return False
            try:
                async with asyncio.timeout(self._block_timeout_s):
                    await asyncio.wrap_future(self._process.buffer.wait_for_room())
            except TimeoutError:
                raise _full("there was no room for as long as it may take") from None
        return True

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until every event published so far has its answer; `timeout` in seconds.

        Returns:
            Whether all have; False: the time was over.

        Raises:
            RuntimeError: An event loop runs in this thread; await `flush_async`.
        """
        _refuse_to_block("flush_async")
        return self._process.flush(timeout)

    async def flush_async(self, timeout: float | None = None) -> bool:
        """Waits like `flush`, without blocking the event loop."""
        future = self._process.answers()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wrap_future(future)
        except TimeoutError:
            return False
        return True

    def close(self, timeout: float | None = 10.0) -> bool:
        """Flushes, ends the connection and drops what still waits; `timeout` in seconds.

        Returns:
            Whether everything had its answer.

        Raises:
            RuntimeError: An event loop runs in this thread; await `aclose`.
        """
        _refuse_to_block("aclose")
        return self._process.close(timeout)

    async def aclose(self, timeout: float | None = 10.0) -> bool:
        """Closes like `close`, without blocking the event loop."""
        complete = await self.flush_async(timeout)
        await asyncio.to_thread(self._process.close, 0.0)
        return complete

    def statistics(self) -> PublisherStatistics:
        """Gives the numbers of this process; a fork begins at 0."""
        return self._process.buffer.statistics()

    @property
    def last_failure(self) -> VidenceError | None:
        """Why the last connection broke; None: none did."""
        return self._process.last_failure

    def __enter__(self) -> Self:
        _refuse_to_block("async with")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _encoded(self, event: event_pb2.Event) -> bytes:
        """Encodes an event; source and id are added here where it has one of them."""
        encoded = event.SerializeToString()
        if not event.id and (not event.source or event.source == self.source):
            return encoded  # both are appended when it is sent
        missing = event_pb2.Event(
            source="" if event.source else self.source,
            id="" if event.id else self._process.next_id(),
        )
        return Complete(encoded + missing.SerializeToString())

    def _offered(self, event: bytes) -> bool:
        """Whether the buffer took the event; where it did not, the policy was applied."""
        if self._process.closed:
            raise RuntimeError("this publisher is closed")
        if len(event) > MAX_EVENT_BYTES:
            raise _too_large(len(event))
        if self._process.buffer.offer(event):
            self._process.wake()
            return True
        if self._on_full is OnFull.RAISE:
            raise _full("the server does not take them as fast as they come")
        if self._on_full is not OnFull.BLOCK:
            self._process.buffer.drop_newest()
        return False

    def _wait(self, room: Future[None]) -> None:
        try:
            room.result(self._block_timeout_s)
        except TimeoutError:
            room.cancel()
            raise _full("there was no room for as long as it may take") from None


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse_to_block(instead: str) -> None:
    if _loop_runs():
        raise RuntimeError(f"this would block the event loop; use `{instead}`")


def _full(why: str) -> VidenceError:
    message = f"the buffer for events that wait to be sent is full; {why}"
    return VidenceError(grpc.StatusCode.RESOURCE_EXHAUSTED, ClientReason.BUFFER_FULL, message)


def _too_large(size: int) -> VidenceError:
    return VidenceError(
        grpc.StatusCode.INVALID_ARGUMENT,
        "EVENT_TOO_LARGE",
        "The event has more bytes than an event may have.",
        metadata={"limit": str(MAX_EVENT_BYTES), "actual": str(size)},
    )
