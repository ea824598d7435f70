"""Result streams over gRPC: `connected` first, heartbeats when quiet, exactly one terminal message.

A servicer gives the messages of one piece of work; everything a stream must keep besides is kept here, the
same for every service: numbering and times, the failure in-band and as status, the end of the work when
nobody reads any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from vidence.stream.v1.stream_control_pb2 import Connected, Heartbeat
from vidence_server.access import refusals
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.hand_over import HandOver, Signal
from vidence_server.runtime.metrics import StreamMetrics
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.status import defect, domain_error_of, to_duration, to_status
from vidence_server.runtime.stream_accounts import StreamAccount, StreamAccounts, reason_of_silence
from vidence_server.runtime.stream_source import SourceRun

# After the grace of a drain, streams get this long to write that they failed.
_LAST_WORDS_S = 1.0


class StreamMessage(Protocol):
    """What every response of a stream has."""

    sequence: int

    @property
    def emit_time(self) -> Timestamp:
        """When the server emitted it."""
        ...


R = TypeVar("R", bound=StreamMessage)


@dataclass(frozen=True, slots=True)
class Envelope(Generic[R]):
    """How the stream's own messages are put into one RPC's response message."""

    connected: Callable[[Connected], R]
    heartbeat: Callable[[Heartbeat], R]
    failed: Callable[[Status], R]
    """The terminal message of a failure. Only `ResultStreams` makes it: a source raises."""
    is_terminal: Callable[[R], bool]


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """Streams of one server. Plain numbers; safe to read from any thread."""

    open: int
    buffered: int
    """Messages made and not yet written, over all streams."""


@dataclass(slots=True, eq=False)
class _Stream(Generic[R]):
    """One open stream."""

    account: StreamAccount
    box: HandOver[R]
    emit_time: datetime
    reason: str = ""


class ResultStreams:
    """All result streams of a server."""

    def __init__(
        self, settings: ServerSettings, *, metrics: StreamMetrics, clock: Clock, ids: IdFactory
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = structlog.get_logger(__name__)
        self._accounts = StreamAccounts(metrics, clock=clock, ids=ids, retry_delay_s=settings.retry_delay_s)
        self._open: set[_Stream[Any]] = set()
        self.draining = asyncio.Event()
        """Set when the server shuts down: a source that would go on for ever ends now."""

    async def serve(
        self,
        context: grpc.aio.ServicerContext[Any, Any],
        source: AsyncIterator[R],
        *,
        envelope: Envelope[R],
        heartbeat_period_s: float | None = None,
    ) -> AsyncIterator[R]:
        """Answers one call with the messages of `source`.

        The source runs in a task of its own, at most `stream_buffer` messages ahead of the reader. It is
        closed, in that task, when the client goes away, when the deadline passes and when a drain ends;
        nothing of it is left when this iterator is closed. It must yield exactly one terminal message, as its
        last, or raise.

        A servicer's method returns this iterator as it is (`def Extract…(…): return streams.serve(…)`). A
        generator around it would leave it, and the work, to the garbage collector when the call is cancelled.

        Args:
            context: The call.
            source: The work. `sequence` and `emit_time` of its messages are set here.
            envelope: How the stream's own messages look in this RPC.
            heartbeat_period_s: Silence after which a heartbeat is written, s; None: the server's default.

        Yields:
            The messages in the order in which they are to be written.

        Raises:
            DomainError: After the `failed` message: the same error, for the status of the call.
        """
        period_s = heartbeat_period_s or self._settings.heartbeat_period_s
        stream: _Stream[R] = self._opened(period_s)
        run = SourceRun(
            source, stream.box, envelope.is_terminal, name=f"source of {stream.account.connection_id}"
        )
        try:
            yield self._stamped(stream, envelope.connected(self._connected(stream, period_s)))
            while (message := await stream.box.take()) is not Signal.END:
                if message is Signal.QUIET:
                    stream.account.count_heartbeat()
                    message = envelope.heartbeat(Heartbeat())
                yield self._stamped(stream, message)
            stream.reason = "COMPLETE"
        except Exception as error:  # noqa: BLE001  # whatever a source raises must reach the client as a message
            failure = self._failure(stream, error)
            yield self._stamped(stream, envelope.failed(to_status(failure, stream.account.rpc.request_id)))
            stream.reason = failure.reason
            raise failure from None
        finally:
            await self._close(stream, run, context)

    async def drain(self, grace_s: float) -> None:
        """Opens no more streams, waits up to `grace_s` seconds, then fails those that are left: DRAINING."""
        self._accounts.drain()
        self.draining.set()
        await self._accounts.wait_empty(grace_s)
        for stream in self._open:
            stream.box.interrupt(self._accounts.draining_error())
        await self._accounts.wait_empty(_LAST_WORDS_S)

    def statistics(self) -> StreamStatistics:
        """The numbers as they are now."""
        streams = tuple(self._open)
        return StreamStatistics(open=len(streams), buffered=sum(len(stream.box) for stream in streams))

    def _opened(self, period_s: float) -> _Stream[Any]:
        stream: _Stream[Any] = _Stream(
            account=self._accounts.open(),
            box=HandOver(capacity=self._settings.stream_buffer, period_s=period_s, clock=self._clock),
            emit_time=self._clock.now(),
        )
        self._open.add(stream)
        stream.account.rpc.end_stream = partial(stream.box.interrupt, refusals.expired())
        return stream

    def _connected(self, stream: _Stream[Any], period_s: float) -> Connected:
        return Connected(
            connection_id=stream.account.connection_id,
            heartbeat_period=to_duration(period_s),
            retry_delay=to_duration(self._settings.retry_delay_s),
        )

    def _stamped(self, stream: _Stream[R], message: R) -> R:
        now = max(stream.emit_time, self._clock.now())
        stream.emit_time = now
        stream.account.count_sent()
        message.sequence = stream.account.sent
        message.emit_time.seconds = int(now.timestamp())
        message.emit_time.nanos = now.microsecond * 1000
        return message

    def _failure(self, stream: _Stream[Any], error: BaseException) -> DomainError:
        known = domain_error_of(error)
        if known is not None:
            return known
        self._log.error("source failed", method=stream.account.rpc.method.name, exc_info=error)
        return defect()

    async def _close(
        self, stream: _Stream[R], run: SourceRun[R], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        stream.box.close()
        try:
            await run.stop()
        finally:
            self._open.discard(stream)
            self._accounts.close(stream.account, stream.reason or reason_of_silence(context))
