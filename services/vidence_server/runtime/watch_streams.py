"""Watch streams over gRPC: writes what a subscription gives, for as long as the client stays.

Every watch response of the suite has the same four fields with the same numbers, so one adapter writes them
all, as bytes: events come joined from the broadcast, messages about the stream are made here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.metrics import StreamMetrics
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.status import REQUEST_ID_KEY
from vidence_server.runtime.stream_accounts import StreamAccount, StreamAccounts, reason_of_silence
from vidence_server.runtime.watch_messages import control_message, cursors
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Frame
from vidence_server.streams.requests import Filter, OnExpired, OnOverflow, Start, SubscriptionRequest
from vidence_server.streams.subscription import Subscription

Context = grpc.aio.ServicerContext[Any, Any]

# How long a draining server waits for streams to write their last message.
_LAST_WORDS_S = 1.0


class Subscribable(Protocol):
    """Where subscriptions come from; `streams.broadcast.Broadcast` is one."""

    async def subscribe(self, request: SubscriptionRequest) -> Subscription:
        """Opens a subscription."""
        ...

    def close(self, subscription: Subscription) -> None:
        """Takes it back."""
        ...


class Dialogue(Protocol):
    """What the client of a watch stream says while it watches."""

    def begin(self, subscription: Subscription) -> None:
        """The subscription is open; what the client says acts on it from now on."""
        ...

    async def reply(self) -> bytes | None:
        """The next answer, as an encoded field of the response; None: the client has said everything.

        Raises:
            DomainError: The client said something wrong.
        """
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

    async def serve(
        self,
        context: Context,
        source: Subscribable,
        request: WatchRequest,
        dialogue: Dialogue | None = None,
    ) -> None:
        """Answers one call; returns or raises when it is over. The servicer's method awaits nothing else.

        Args:
            context: The call.
            source: Where its events come from.
            request: What is wanted.
            dialogue: The client's side, where it streams too; its end ends the stream.

        Raises:
            DomainError: CURSOR_FOREIGN, CURSOR_EXPIRED, DRAINING before the first message;
                SUBSCRIBER_TOO_SLOW, STORAGE_FAILED after it.
        """
        account = self._accounts.open()
        reason = ""
        try:
            subscription = await source.subscribe(self._asked(request, account))
            self._open[subscription] = None
            account.rpc.end_stream = partial(subscription.end, EndReason.CREDENTIAL_EXPIRED)
            try:
                writer = _Writer(context, subscription, account, self._settings.retry_delay_s)
                reason = await writer.watch() if dialogue is None else await writer.converse(dialogue)
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


class _Writer:
    """Writes one stream."""

    def __init__(
        self, context: Context, subscription: Subscription, account: StreamAccount, retry_delay_s: float
    ) -> None:
        self._context = context
        self._subscription = subscription
        self._account = account
        self._retry_delay_s = retry_delay_s

    async def watch(self) -> str:
        """Writes until the subscription ends, and gives the reason."""
        await self._send_headers()
        write, following, count = self._context.write, self._subscription.next, self._account.count_sent
        while True:
            frame = await following()
            if type(frame) is Batch:  # nearly always; a thousand subscribers come by here for each event
                count()
                await write(frame.message)
                continue
            await self._write(frame)
            if isinstance(frame, End):
                return self._ended(frame)

    async def converse(self, dialogue: Dialogue) -> str:
        """Writes frames, and replies ahead of them, until either side ends; gives the reason."""
        await self._send_headers()
        opening = await self._subscription.next()
        await self._write(opening)
        dialogue.begin(self._subscription)
        cursor = self._cursor_of(opening)
        following = asyncio.create_task(self._subscription.next(), name="next frame")
        replying = asyncio.create_task(dialogue.reply(), name="next reply")
        try:
            while True:
                await asyncio.wait({following, replying}, return_when=asyncio.FIRST_COMPLETED)
                if replying.done():
                    reply = replying.result()
                    if reply is None:
                        return "COMPLETE"
                    self._account.count_sent()
                    await self._context.write(reply + cursors(cursor, cursor))
                    replying = asyncio.create_task(dialogue.reply(), name="next reply")
                if following.done():
                    frame = following.result()
                    await self._write(frame)
                    if isinstance(frame, End):
                        return self._ended(frame)
                    cursor = self._cursor_of(frame)
                    following = asyncio.create_task(self._subscription.next(), name="next frame")
        finally:
            for task in (following, replying):
                task.cancel()
            await asyncio.wait({following, replying})

    async def _send_headers(self) -> None:
        await self._context.send_initial_metadata(((REQUEST_ID_KEY, self._account.rpc.request_id),))

    async def _write(self, frame: Frame) -> None:
        self._account.count_sent()
        if isinstance(frame, Batch):
            await self._context.write(frame.message)
            return
        if isinstance(frame, Beat):
            self._account.count_heartbeat()
        await self._context.write(control_message(frame, self._subscription.request, self._retry_delay_s))

    def _cursor_of(self, frame: Frame) -> str:
        """What the client was told by a frame that was just written; a reply repeats it."""
        return self._subscription.cursor if isinstance(frame, Batch) else frame.cursor

    def _ended(self, end: End) -> str:
        if end.reason is EndReason.TOO_SLOW:
            raise DomainError(
                Reason.SUBSCRIBER_TOO_SLOW,
                "The subscriber fell behind further than it may.",
                metadata={"cursor": end.cursor},
                retry_after_s=self._retry_delay_s,
            )
        return end.reason.name
