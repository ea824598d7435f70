"""What is counted and logged about each open stream, the same for both kinds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from prometheus_client import Counter

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.metrics import StreamMetrics
from vidence_server.runtime.rpc import Method, Rpc, current_rpc

_COUNTED_AT_ONCE = 32


@dataclass(slots=True, eq=False)
class StreamAccount:
    """One open stream. Messages are counted here and brought to the metrics some at a time."""

    rpc: Rpc
    connection_id: str
    opened_s: float
    sent_counter: Counter
    heartbeat_counter: Counter
    sent: int = 0
    heartbeats: int = 0
    _told: int = 0

    def count_sent(self) -> None:
        """A message was written, or is about to be."""
        self.sent += 1
        if self.sent - self._told >= _COUNTED_AT_ONCE:
            self.tell()

    def tell(self) -> None:
        """Brings the metrics up to date."""
        self.sent_counter.inc(self.sent - self._told)
        self._told = self.sent

    def count_heartbeat(self) -> None:
        """It was a heartbeat."""
        self.heartbeats += 1
        self.heartbeat_counter.inc()
        self.tell()


class StreamAccounts:
    """The open streams of one kind. Bound: the server's limit of streams."""

    def __init__(self, metrics: StreamMetrics, *, clock: Clock, ids: IdFactory, retry_delay_s: float) -> None:
        self._metrics = metrics
        self._clock = clock
        self._ids = ids
        self._retry_delay_s = retry_delay_s
        self._log = structlog.get_logger(__name__)
        self._open = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False

    def __len__(self) -> int:
        return self._open

    def drain(self) -> None:
        """Opens no more streams."""
        self._draining = True

    def open(self) -> StreamAccount:
        """Opens the account of the call in flight; raises `DomainError`, DRAINING."""
        if self._draining:
            raise self.draining_error()
        rpc = current_rpc() or Rpc(Method("", "", request_streaming=False, response_streaming=True), "")
        method = (rpc.method.service, rpc.method.name)
        account = StreamAccount(
            rpc=rpc,
            connection_id=self._ids.new("con"),
            opened_s=self._clock.monotonic(),
            sent_counter=self._metrics.sent.labels(*method),
            heartbeat_counter=self._metrics.heartbeats.labels(*method),
        )
        self._open += 1
        self._empty.clear()
        self._metrics.opened.labels(*method).inc()
        self._metrics.open.labels(*method).inc()
        self._log.info("stream opened", method=rpc.method.name, connection_id=account.connection_id)
        return account

    def close(self, account: StreamAccount, reason: str) -> None:
        """Closes an account, once."""
        duration_s = self._clock.monotonic() - account.opened_s
        method = (account.rpc.method.service, account.rpc.method.name)
        self._open -= 1
        account.tell()
        if not self._open:
            self._empty.set()
        self._metrics.open.labels(*method).dec()
        self._metrics.closed.labels(*method, reason).inc()
        self._metrics.duration.labels(*method).observe(duration_s)
        self._log.info(
            "stream closed",
            method=account.rpc.method.name,
            connection_id=account.connection_id,
            reason=reason,
            duration_s=round(duration_s, 6),
            sent=account.sent,
            heartbeats=account.heartbeats,
        )

    async def wait_empty(self, seconds: float) -> None:
        """Waits until no stream is open, or for `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def draining_error(self) -> DomainError:
        """What a stream fails with when the server shuts down."""
        return DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=self._retry_delay_s)


def reason_of_silence(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Why a stream ended that nobody could be told about."""
    left_s: float | None = context.time_remaining()
    return Reason.DEADLINE_EXCEEDED if left_s is not None and left_s <= 0 else Reason.CANCELLED
