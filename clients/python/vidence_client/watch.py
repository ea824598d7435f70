"""Watching a log: one class for every watch stream of the suite.

It checks what the contract promises (docs/concepts/streams.md): `connected` first, every message chained to
the one before, a sign of life within 2.5 heartbeat periods, each event once. A connection that breaks is
replaced, and the new one goes on after the last message that arrived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

import grpc

from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import Channel, cancelled_from_outside
from vidence_client.cursors import is_after
from vidence_client.errors import ClientReason, ServerUnreachable, VidenceError
from vidence_client.stream import FIRST_SILENCE_S, PASSING, SILENT_PERIODS, StreamCall
from vidence_client.watch_shape import E, GapListener, R, ReconnectListener, WatchStatistics


class Watch(Generic[R, E]):
    """The events of a log, in order and each once, over as many connections as it takes.

    An asynchronous iterator of events and a context manager; `messages` gives the responses as they are
    instead. One task reads; `aclose` may be called from another. When the task that reads is cancelled, the
    watch stays usable and loses nothing: the next step goes on where the last one stood.

    A connection is replaced after UNAVAILABLE and UNKNOWN, after silence, when the server drains, and where
    it names a retry delay; every other error is raised.

    Args:
        start: Starts a call after a cursor; the empty cursor stands for the start that was asked for first.
        events: Gives the events of a response.
        channel: The connection; its retry policy bounds the pauses, and says how often the first connection
            is tried. Later ones are tried for ever.
        after: The cursor that was asked for first; empty: none.
        on_gap: Hears what the log cannot deliver any more. Without it, iterating over events raises
            `VidenceError`, STREAM_GAP, there; the step after it goes on behind the gap.
        on_reconnect: Hears why a connection was replaced, when the new one is open.
    """

    def __init__(
        self,
        start: Callable[[str], StreamCall],
        events: Callable[[R], Sequence[E]],
        channel: Channel,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> None:
        self._start = start
        self._events = events
        self._channel = channel
        self._on_gap = on_gap
        self._on_reconnect = on_reconnect
        self._call: StreamCall | None = None
        self._connected: stream_control_pb2.Connected | None = None
        self._position = after
        self._cursor = after
        self._pending: deque[E] = deque()
        self._ending: stream_control_pb2.Disconnected | None = None
        self._server_delay_s = 0.0
        self._failure: VidenceError | None = None
        self._failures = 0
        self._statistics = WatchStatistics()
        self._closed = False

    @property
    def cursor(self) -> str:
        """Behind everything that was handed over: store it, and pass it to go on there later."""
        return self._cursor

    @property
    def connected(self) -> stream_control_pb2.Connected | None:
        """How the server opened the connection that is open; None: none is."""
        return self._connected

    def statistics(self) -> WatchStatistics:
        """Gives the numbers as they are now."""
        return self._statistics

    def messages(self) -> WatchMessages[R]:
        """Gives the responses as they come, those about the stream included, instead of events."""
        return WatchMessages(self._hand_over_message, self.aclose)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        """Returns the next event.

        Raises:
            StopAsyncIteration: What was watched is over, or the watch was closed here.
            VidenceError: STREAM_GAP where events are lost and there is no `on_gap`; CURSOR_EXPIRED; another
                error that connecting again cannot mend; a broken guarantee. `ServerUnreachable`: the first
                connection could not be opened.
        """
        while not self._pending:
            message = await self._next()
            self._pending.extend(self._events(message))
            if not self._pending:
                self._cursor = message.cursor
            control = message.control
            if control.HasField("gap") and self._on_gap is None:
                raise _lost(control.gap)
        event = self._pending.popleft()
        # behind the last event of a message come those that the filter left out
        self._cursor = event.cursor if self._pending else self._position
        return event

    async def aclose(self) -> None:
        """Ends the watch. May be called again."""
        self._closed = True
        self._drop_call()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _hand_over_message(self) -> R:
        message = await self._next()
        self._cursor = message.cursor
        return message

    async def _next(self) -> R:
        """Reads the next message, over a new connection where that is necessary."""
        while not self._closed:
            try:
                return await self._read()
            except VidenceError as error:
                self._drop_call()
                self._failure = error
                self._failures += 1
                if not await self._may_reconnect(error):
                    self._closed = True
                    raise
            except BaseException:
                self._drop_call()
                raise
        raise StopAsyncIteration

    async def _read(self) -> R:
        if self._call is None:
            self._call = self._start(self._position)
        message = await self._receive(self._call)
        if self._connected is None:
            self._open(message)
            await self._tell_reconnected()
        else:
            self._check(message)
        self._position = message.cursor
        self._failures = 0
        await self._take(message)
        return message

    async def _receive(self, call: StreamCall) -> R:
        try:
            async with asyncio.timeout(self._silence_s()):
                message = await call.read()
        except TimeoutError:
            raise ServerUnreachable(
                f"nothing came for {self._silence_s():g} s", reason=ClientReason.STREAM_SILENT
            ) from None
        except grpc.aio.AioRpcError as error:
            raise VidenceError.from_rpc_error(error) from None
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            if self._closed:
                raise StopAsyncIteration from None  # closed by another task
            raise VidenceError.closed_here() from None
        if message is grpc.aio.EOF:
            if self._ending is not None:
                self._end(self._ending)
            raise ServerUnreachable("the server ended the stream without a word")
        return cast(R, message)

    def _end(self, ending: stream_control_pb2.Disconnected) -> None:
        """Ends or breaks the stream as the server said it would."""
        if not ending.HasField("retry_delay"):
            self._closed = True
            raise StopAsyncIteration
        self._server_delay_s = ending.retry_delay.ToTimedelta().total_seconds()
        reason = stream_control_pb2.DisconnectReason.Name(ending.reason)
        raise ServerUnreachable(
            "the server ended the stream", reason=reason.removeprefix("DISCONNECT_REASON_")
        )

    def _silence_s(self) -> float:
        if self._connected is None:
            return FIRST_SILENCE_S
        return SILENT_PERIODS * self._connected.heartbeat_period.ToTimedelta().total_seconds()

    def _open(self, message: R) -> None:
        """Checks the first message of a connection."""
        if not message.control.HasField("connected"):
            raise VidenceError.stream_broken("the stream did not begin with `connected`")
        if self._position and message.cursor != self._position:
            raise VidenceError.stream_broken("the stream does not start where it was asked to")
        self._connected = message.control.connected
        self._server_delay_s = self._connected.retry_delay.ToTimedelta().total_seconds()
        self._statistics = replace(self._statistics, connections=self._statistics.connections + 1)

    def _check(self, message: R) -> None:
        """Checks that a message follows the one before, and its events each other."""
        if self._ending is not None:
            raise VidenceError.stream_broken("a message came after `disconnected`")
        if message.previous_cursor != self._position:
            raise VidenceError.stream_broken("a message does not follow the one before it")
        before = self._position
        for event in self._events(message):
            if not is_after(event.cursor, before):
                raise VidenceError.stream_broken("an event came twice, or out of order")
            before = event.cursor

    async def _take(self, message: R) -> None:
        """Counts a message, and acts on those about the stream."""
        control = message.control
        kind = control.WhichOneof("control")
        counted = self._statistics
        self._statistics = replace(
            counted,
            messages=counted.messages + 1,
            events=counted.events + len(self._events(message)),
            heartbeats=counted.heartbeats + (kind == "heartbeat"),
            gaps=counted.gaps + (kind == "gap"),
        )
        if kind == "disconnected":
            self._ending = control.disconnected
        if kind == "gap" and self._on_gap is not None:
            await _call_listener(self._on_gap, control.gap)

    async def _tell_reconnected(self) -> None:
        if self._failure is not None and self._on_reconnect is not None and self._statistics.reconnects:
            await _call_listener(self._on_reconnect, self._failure)

    async def _may_reconnect(self, error: VidenceError) -> bool:
        """Waits until the next connection; returns False at once where there should be none."""
        passing = error.code in PASSING or error.retry_after_s is not None
        if not passing or self._closed:
            return False
        bounded = self._statistics.connections == 0
        return await self._channel.pause_before_reconnecting(
            error, failures=self._failures, server_delay_s=self._server_delay_s, bounded=bounded
        )

    def _drop_call(self) -> None:
        if self._call is not None:
            self._call.cancel()
        self._call = None
        self._connected = None
        self._ending = None


class WatchMessages(Generic[R]):
    """The responses of a watch as they come; see `Watch.messages`."""

    def __init__(self, step: Callable[[], Awaitable[R]], close: Callable[[], Awaitable[None]]) -> None:
        self._step = step
        self.aclose = close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        """Returns the next response; errors as in `Watch`, but a gap is a response like others."""
        return await self._step()


def _lost(gap: stream_control_pb2.Gap) -> VidenceError:
    reason = stream_control_pb2.GapReason.Name(gap.reason).removeprefix("GAP_REASON_")
    metadata = {"from_cursor": gap.from_cursor, "to_cursor": gap.to_cursor, "gap_reason": reason}
    if gap.HasField("missed_count"):
        metadata["missed_count"] = str(gap.missed_count)
    message = "a part of the log cannot be delivered any more; pass `on_gap` to hear of it and go on"
    return VidenceError(grpc.StatusCode.DATA_LOSS, ClientReason.STREAM_GAP, message, metadata=metadata)


T = TypeVar("T")


async def _call_listener(listener: Callable[[T], Awaitable[None] | None], told: T) -> None:
    waiting = listener(told)
    if waiting is not None:
        await waiting
