"""A subscription in which the client says how much it can take, and how far it has come."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import grpc

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client.channel import Channel
from vidence_client.cursors import is_of_one_history
from vidence_client.errors import VidenceError
from vidence_client.selection import Selection, WatchStart
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

Call = grpc.aio.StreamStreamCall[event_service_pb2.OpenSessionRequest, event_service_pb2.OpenSessionResponse]
DEFAULT_CREDIT = 1000


class EventSession(Watch[event_service_pb2.OpenSessionResponse, event_pb2.Event]):
    """A watch whose server sends at most `credit` events that were not acknowledged.

    Iterate over the events and call `acknowledge` when they are processed: without it, the session stands
    still after `credit` events, and its place in the log is kept. A broken connection is replaced as by every
    `Watch`; what had arrived before keeps its credit.
    """

    def __init__(
        self,
        begin: Callable[[], Call],
        channel: Channel,
        *,
        wanted: Selection,
        start: WatchStart,
        credit: int = DEFAULT_CREDIT,
        clock: Callable[[], float] = monotonic,
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> None:
        """A session that is not opened yet; the first event that is asked for opens it.

        Args:
            begin: Starts a call.
            channel: As in `Watch`.
            wanted: Which events.
            start: Where to start.
            credit: Events that may be on their way or unprocessed, 1–1,000,000.
            clock: Seconds, for the round trip of a ping.
            on_gap: As in `Watch`.
            on_reconnect: Likewise.

        Raises:
            ValueError: The credit is out of its range.
        """
        if not 1 <= credit <= 1_000_000:
            raise ValueError("a session has a credit of 1 to 1,000,000 events")
        super().__init__(
            self._begin, self._events_of, channel, after=start.after, on_gap=on_gap, on_reconnect=on_reconnect
        )
        self._new_call = begin
        self._wanted = wanted
        self._where = start
        self._credit = credit
        self._clock = clock
        self._session: _SessionCall | None = None
        self._acknowledged = 0
        self._pings: deque[tuple[str, float, asyncio.Future[float]]] = deque()
        self._numbers = itertools.count(1)

    @property
    def unacknowledged(self) -> int:
        """Events that arrived and were not acknowledged."""
        return self.statistics().events - self._acknowledged

    async def acknowledge(self) -> None:
        """Says that every event handed over so far is processed, and lets as many new ones come.

        Nothing is said while no connection is open: the next one begins where this one stood, with the whole
        credit less what still waits here.
        """
        done = self.statistics().events - len(self._pending) - self._acknowledged
        self._acknowledged += done
        session = self._session
        if session is None or self.connected is None:
            return
        # A cursor from before a loss is not known to the server any more.
        if is_of_one_history(self.cursor, self._position):
            acknowledgement = event_service_pb2.Acknowledgement(cursor=self.cursor)
            await session.say(acknowledgement=acknowledgement)
        if done:
            await session.say(credit=event_service_pb2.Credit(event_count=done))

    async def ping(self) -> float:
        """Asks whether the server is there; another task must be reading the events meanwhile.

        Returns:
            Seconds until its answer.

        Raises:
            VidenceError: CANCELLED where no connection is open, or it broke before the answer.
        """
        if self._session is None or self.connected is None:
            raise VidenceError.closed_here()
        text = str(next(self._numbers))
        answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._pings.append((text, self._clock(), answered))
        await self._session.say(ping=event_service_pb2.Ping(text=text))
        return await answered

    def _begin(self, position: str) -> _SessionCall:
        request = event_service_pb2.SubscribeRequest(filter=self._wanted.to_filter())
        self._where.apply(request, position)
        free = max(0, self._credit - self.unacknowledged)
        opening = event_service_pb2.SessionOpening(subscription=request, initial_credit=free)
        self._session = _SessionCall(self._new_call(), opening)
        return self._session

    def _events_of(self, response: event_service_pb2.OpenSessionResponse) -> Sequence[event_pb2.Event]:
        return response.events

    async def _take(self, message: event_service_pb2.OpenSessionResponse) -> None:
        await super()._take(message)
        if message.HasField("pong") and self._pings and self._pings[0][0] == message.pong.text:
            _, asked_s, answered = self._pings.popleft()
            if not answered.done():
                answered.set_result(self._clock() - asked_s)

    def _drop_call(self) -> None:
        super()._drop_call()
        self._session = None
        while self._pings:
            _, _, answered = self._pings.popleft()
            if not answered.done():
                answered.set_exception(VidenceError.closed_here())


class _SessionCall:
    """A call that opens the session before its first message is read."""

    def __init__(self, call: Call, opening: event_service_pb2.SessionOpening) -> None:
        self._call = call
        self._opening: event_service_pb2.SessionOpening | None = opening

    async def read(self) -> object:
        """Returns the next message, or `grpc.aio.EOF`."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            await self.say(opening=opening)
        return await self._call.read()

    async def say(self, **message: Any) -> None:
        """Sends a message; where the connection is broken, the reading side finds out why."""
        try:
            await self._call.write(event_service_pb2.OpenSessionRequest(**message))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            return

    def cancel(self) -> bool:
        """Cancels the call."""
        return bool(self._call.cancel())
