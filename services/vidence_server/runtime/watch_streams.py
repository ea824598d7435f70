"""Watch streams over gRPC: writes what a subscription gives, for as long as the client stays.

Every watch response of the suite has the same four fields with the same numbers, so one adapter writes them
all, as bytes: events come joined from the broadcast, messages about the stream are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.duration_pb2 import Duration

from vidence.stream.v1 import stream_control_pb2 as pb
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.metrics import StreamMetrics
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.status import REQUEST_ID_KEY, to_duration
from vidence_server.runtime.stream_accounts import StreamAccount, StreamAccounts, reason_of_silence
from vidence_server.streams.entry import varint
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Frame, Gap, Opening
from vidence_server.streams.requests import Filter, OnExpired, OnOverflow, Start, SubscriptionRequest
from vidence_server.streams.subscription import Subscription

Context = grpc.aio.ServicerContext[Any, Any]

# How long a draining server waits for streams to write their last message.
_LAST_WORDS_S = 1.0
_CONTROL_TAG = b"\x12"
_CURSOR_TAG = b"\x1a"
_PREVIOUS_TAG = b"\x22"


class Subscribable(Protocol):
    """Where subscriptions come from; `streams.broadcast.Broadcast` is one."""

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription."""
        ...

    def close(self, subscription: Subscription) -> None:
        """Takes it back."""
        ...


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What the fields say that all watch requests share, and the filter of this one."""

    start: Start
    on_expired: OnExpired = OnExpired.FAIL
    on_overflow: OnOverflow = OnOverflow.PARK
    heartbeat_period_s: float | None = None
    """None: the server's default."""
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """Watch streams of one server. Plain numbers; safe to read from any thread."""

    open: int


class WatchStreams:
    """All watch streams of a server."""

    def __init__(
        self, settings: ServerSettings, *, metrics: StreamMetrics, clock: Clock, ids: IdFactory
    ) -> None:
        self._settings = settings
        self._accounts = StreamAccounts(metrics, clock=clock, ids=ids, retry_delay_s=settings.retry_delay_s)
        self._open: dict[Subscription, None] = {}  # bound: the server's limit of streams

    async def serve(self, context: Context, source: Subscribable, request: WatchRequest) -> None:
        """Answers one call; returns or raises when it is over. The servicer's method awaits nothing else.

        Raises:
            DomainError: CURSOR_FOREIGN, CURSOR_EXPIRED, DRAINING before the first message;
                SUBSCRIBER_TOO_SLOW, STORAGE_FAILED after it.
        """
        account = self._accounts.open()
        reason = ""
        try:
            subscription = await source.subscribe(self._asked(request, account))
            self._open[subscription] = None
            try:
                reason = await self._write(context, subscription, account)
            finally:
                del self._open[subscription]
                source.close(subscription)
        except DomainError as error:
            reason = error.reason
            raise
        finally:
            self._accounts.close(account, reason or reason_of_silence(context))

    async def drain(self, grace_s: float) -> None:
        """Opens no more streams and ends those that are open: DRAINING, with the cursor to resume after."""
        self._accounts.drain()
        for subscription in tuple(self._open):
            subscription.end(EndReason.DRAINING)
        await self._accounts.wait_empty(min(grace_s, _LAST_WORDS_S))

    def statistics(self) -> WatchStatistics:
        """The numbers as they are now."""
        return WatchStatistics(open=len(self._accounts))

    def _asked(self, request: WatchRequest, account: StreamAccount) -> SubscriptionRequest:
        return SubscriptionRequest(
            start=request.start,
            connection_id=account.connection_id,
            heartbeat_period_s=request.heartbeat_period_s or self._settings.heartbeat_period_s,
            on_expired=request.on_expired,
            on_overflow=request.on_overflow,
            filter=request.filter,
        )

    async def _write(self, context: Context, subscription: Subscription, account: StreamAccount) -> str:
        """Writes until the subscription ends, and gives the reason."""
        await context.send_initial_metadata(((REQUEST_ID_KEY, account.rpc.request_id),))
        while True:
            frame = await subscription.next()
            account.count_sent()
            if isinstance(frame, Batch):
                await context.write(frame.message)
                continue
            if isinstance(frame, Beat):
                account.count_heartbeat()
            await context.write(self._control(frame, subscription))
            if isinstance(frame, End):
                return self._ended(frame)

    def _ended(self, end: End) -> str:
        if end.reason is EndReason.TOO_SLOW:
            raise DomainError(
                Reason.SUBSCRIBER_TOO_SLOW,
                "The subscriber fell behind further than it may.",
                metadata={"cursor": end.cursor},
                retry_after_s=self._settings.retry_delay_s,
            )
        return end.reason.name

    def _control(self, frame: Frame, subscription: Subscription) -> bytes:
        """A message about the stream itself."""
        match frame:
            case Opening(cursor):
                connected = pb.Connected(
                    connection_id=subscription.request.connection_id,
                    cursor=cursor,
                    heartbeat_period=to_duration(subscription.request.heartbeat_period_s),
                    retry_delay=self._retry_delay(),
                )
                return _response(pb.StreamControl(connected=connected), cursor, "")
            case Gap(cursor, previous, reason, missed):
                gap = pb.Gap(
                    from_cursor=previous,
                    to_cursor=cursor,
                    missed_count=missed,
                    reason=pb.GapReason.Value(f"GAP_REASON_{reason.name}"),
                )
                return _response(pb.StreamControl(gap=gap), cursor, previous)
            case Beat(cursor, previous):
                return _response(pb.StreamControl(heartbeat=pb.Heartbeat(cursor=cursor)), cursor, previous)
            case End(cursor, reason):
                end = pb.Disconnected(
                    reason=pb.DisconnectReason.Value(f"DISCONNECT_REASON_{reason.name}"),
                    retry_delay=None if reason is EndReason.ENDED else self._retry_delay(),
                    cursor=cursor,
                )
                return _response(pb.StreamControl(disconnected=end), cursor, cursor)
            case Batch():
                return frame.message

    def _retry_delay(self) -> Duration:
        return to_duration(self._settings.retry_delay_s)


def _response(control: pb.StreamControl, cursor: str, previous_cursor: str) -> bytes:
    """The bytes of a watch response that has no events."""
    encoded = control.SerializeToString()
    parts = [_CONTROL_TAG, varint(len(encoded)), encoded]
    for tag, text in ((_CURSOR_TAG, cursor), (_PREVIOUS_TAG, previous_cursor)):
        if text:
            parts += [tag, varint(len(text)), text.encode()]
    return b"".join(parts)
