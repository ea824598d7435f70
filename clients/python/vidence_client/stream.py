"""Reading a stream: one class for every streaming call of the suite.

It watches what the contract promises (docs/concepts/streams.md): `connected` first, no hole in the sequence,
a sign of life within 2.5 heartbeat periods, exactly one terminal message and nothing after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import grpc
from google.rpc import status_pb2

from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import Channel, Deadline, cancelled_from_outside
from vidence_client.errors import ClientReason, ServerUnreachable, VidenceError, request_id_of

SILENT_PERIODS = 2.5
PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN})
"""What another connection may mend."""
FIRST_SILENCE_S = SILENT_PERIODS * 30.0  # the server's default period, until `connected` tells the real one

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Envelope(Generic[R]):
    """Where a kind of response keeps what the responses of all streams have."""

    sequence: Callable[[R], int]
    connected: Callable[[R], stream_control_pb2.Connected | None]
    failed: Callable[[R], status_pb2.Status | None]
    is_terminal: Callable[[R], bool]


def envelope_of(complete: str, failed: str) -> Envelope[Any]:
    """The envelope of responses that end with one of two payloads; `failed` is the one with a status."""
    return Envelope(
        sequence=lambda response: response.sequence,
        connected=lambda response: response.connected if response.HasField("connected") else None,
        failed=lambda response: getattr(response, failed).status if response.HasField(failed) else None,
        is_terminal=lambda response: response.WhichOneof("payload") in {complete, failed},
    )


class StreamCall(Protocol):
    """What is needed of a running gRPC call."""

    async def read(self) -> object:
        """Returns the next message, or `grpc.aio.EOF`."""
        ...

    def cancel(self) -> bool:
        """Cancels the call."""
        ...


class Stream(Generic[R]):
    """The messages of one streaming call, in order, heartbeats included.

    An asynchronous iterator and context manager. Leaving the context, or cancelling the task that reads,
    cancels the call, and with it the server's work. A terminal `…_failed` message is delivered like every
    other; the step after it raises what it says. One task reads; `aclose` may be called from another.

    Args:
        start: Starts the call, which must be over in so many seconds.
        envelope: Where the responses keep what streams have in common.
        channel: Decides whether a refused opening is tried again; that happens only before the first message,
            and only where the server invites it by a retry delay.
        timeout: Seconds for the whole stream, openings included; None: no limit.
    """

    def __init__(
        self,
        start: Callable[[float | None], Awaitable[StreamCall]],
        envelope: Envelope[R],
        channel: Channel,
        *,
        timeout: float | None = None,
    ) -> None:
        self._start = start
        self._envelope = envelope
        self._channel = channel
        self._timeout = timeout
        self._call: StreamCall | None = None
        self._connected: stream_control_pb2.Connected | None = None
        self._sequence = 0
        self._terminal: R | None = None
        self._request_id = ""
        self._closed = False

    @property
    def connected(self) -> stream_control_pb2.Connected | None:
        """How the server opened the stream; None before its first message was read."""
        return self._connected

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        """Returns the next message.

        Raises:
            StopAsyncIteration: The stream is complete, or was closed here.
            VidenceError: It failed, fell silent or broke a guarantee; `ServerUnreachable`: the peer is gone.
        """
        if self._closed:
            raise StopAsyncIteration
        try:
            message = await self._open() if self._call is None else await self._receive(self._call)
            if self._terminal is not None:
                self._end(self._terminal, message)
            if message is None:
                raise VidenceError.stream_broken("the stream ended without a terminal message")
            self._check(message)
        except BaseException:
            await self.aclose()
            raise
        if self._envelope.is_terminal(message):
            self._terminal = message
        return message

    async def aclose(self) -> None:
        """Ends the stream; a call that still runs is cancelled. May be called again."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _open(self) -> R | None:
        """Starts the call and returns its first message."""
        deadline = Deadline.after(self._timeout)
        attempt = 1
        while True:
            self._call = await self._start(deadline.remaining_s())
            try:
                return await self._receive(self._call)
            except VidenceError as error:
                if not await self._channel.pause(error, attempt=attempt, deadline=deadline, stream=True):
                    raise
            attempt += 1

    async def _receive(self, call: StreamCall) -> R | None:
        """Returns the next message, or None where the stream ends well."""
        try:
            async with asyncio.timeout(self._silence_s()):
                message = await call.read()
        except TimeoutError:
            if self._terminal is not None:
                return None  # all that matters has arrived; only the status is missing
            raise ServerUnreachable(
                f"nothing came for {self._silence_s():g} s", reason=ClientReason.STREAM_SILENT
            ) from None
        except grpc.aio.AioRpcError as error:
            if self._terminal is not None and self._envelope.failed(self._terminal) is not None:
                self._request_id = request_id_of(error)
                return None  # else the status says again what the terminal message said
            raise VidenceError.from_rpc_error(error) from None
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            if self._closed:
                raise StopAsyncIteration from None  # closed by another task
            raise VidenceError.closed_here() from None
        return None if message is grpc.aio.EOF else cast(R, message)

    def _silence_s(self) -> float:
        if self._connected is None:
            return FIRST_SILENCE_S
        return SILENT_PERIODS * self._connected.heartbeat_period.ToTimedelta().total_seconds()

    def _check(self, message: R) -> None:
        sequence = self._envelope.sequence(message)
        if sequence != self._sequence + 1:
            raise VidenceError.stream_broken(f"message {sequence} came after message {self._sequence}")
        self._sequence = sequence
        if self._connected is None:
            self._connected = self._envelope.connected(message)
            if self._connected is None:
                raise VidenceError.stream_broken("the stream did not begin with `connected`")

    def _end(self, terminal: R, following: R | None) -> None:
        """Ends the iteration after the terminal message."""
        if following is not None:
            raise VidenceError.stream_broken("a message came after the terminal message")
        status = self._envelope.failed(terminal)
        if status is not None:
            error = VidenceError.from_status(status)
            error.request_id = error.request_id or self._request_id
            raise error
        raise StopAsyncIteration
