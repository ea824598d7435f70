"""The client's side of a session: credit, acknowledgements, pings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.subscription import Subscription

_MAX_PONGS = 16


class SessionDialogue:
    """Reads what the client says, from its opening to its half-close; fits `runtime.watch_streams.Dialogue`.

    Owns the task that reads, from `begin` to the end of its context. Bound: 16 pongs; overflow policy: the
    next message is not read.
    """

    def __init__(self, requests: AsyncIterator[pb.OpenSessionRequest]) -> None:
        self._requests = requests
        self._credit = 0
        self._pongs: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_MAX_PONGS)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def opening(self) -> pb.SubscribeRequest:
        """What the client subscribes to; raises `DomainError`, REQUEST_INVALID, where it begins otherwise."""
        async for request in self._requests:
            if not request.HasField("opening"):
                break
            self._credit = request.opening.initial_credit
            return request.opening.subscription
        raise _invalid("message", "the first message of a session is its opening")

    def begin(self, subscription: Subscription) -> None:
        """The subscription is open."""
        subscription.limit(self._credit)
        self._reading = asyncio.create_task(self._read(subscription), name="session dialogue")

    async def reply(self) -> bytes | None:
        """The next pong, encoded as a response; None after the client's half-close.

        Raises:
            DomainError: REQUEST_INVALID, CURSOR_INVALID: what the client said.
        """
        reply = await self._pongs.get()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _read(self, subscription: Subscription) -> None:
        try:
            async for request in self._requests:
                pong = _heard(request, subscription)
                if pong is not None:
                    await self._pongs.put(pong)
        except Exception as error:  # noqa: BLE001  # raised to whoever asks for the next reply
            await self._pongs.put(error)
        else:
            await self._pongs.put(None)


def _heard(request: pb.OpenSessionRequest, subscription: Subscription) -> bytes | None:
    """Acts on a message; gives the answer that it asks for."""
    match request.WhichOneof("message"):
        case "credit":
            subscription.grant(request.credit.event_count)
        case "acknowledgement":
            _acknowledge(request.acknowledgement.cursor, subscription)
        case "ping":
            return pb.OpenSessionResponse(pong=pb.Pong(text=request.ping.text)).SerializeToString()
        case _:
            raise _invalid("message.opening", "a session is opened once")
    return None


def _acknowledge(text: str, subscription: Subscription) -> None:
    told = Cursor.parse(subscription.cursor)
    cursor = Cursor.parse(text)
    known = (cursor.log, cursor.epoch) == (told.log, told.epoch) and subscription.acknowledge(cursor.offset)
    if not known:
        raise _invalid("message.acknowledgement.cursor", "this cursor was not sent in this session")


def _invalid(field: str, description: str) -> DomainError:
    return DomainError(
        Reason.REQUEST_INVALID,
        f"The request breaks its rules: {description}.",
        fields=(FieldViolation(field, description),),
    )
