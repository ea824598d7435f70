"""A list of events on its way over `PublishStream`: what is sent, what has its result, what is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client.channel import Channel
from vidence_client.errors import ClientReason, VidenceError
from vidence_client.stream import PASSING, Envelope, Stream, StreamCall, envelope_of

if TYPE_CHECKING:  # a type of the generated `.pyi` alone
    from vidence.event.v1.event_service_pb2_grpc import EventServiceAsyncStub

_GROUP = 100
_GROUP_BYTES = 512 * 1024
_IN_FLIGHT = 16 * _GROUP  # events without a result

Request = event_service_pb2.PublishStreamRequest
Response = event_service_pb2.PublishStreamResponse
Result = event_service_pb2.PublishResult


_ENVELOPE: Envelope[Response] = envelope_of("publish_complete", "publish_failed")


@dataclass(slots=True)
class _Flight:
    """What one stream has sent. Its own: gRPC may ask a stream that is over for one more request."""

    sent: int
    """Events before this place are on their way or have their result."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False


class Course:
    """Publishes each of some events once, in their order.

    One invalid event makes the server refuse the whole stream, and of those in flight it does not say which
    it was: they are then sent one by one, each when the one before has its result.

    Args:
        channel: The connection; its retry policy says how often a stream is replaced.
        stub: Of the same.
        events: With ids.
        durability: What they must survive before their results come.
    """

    def __init__(
        self,
        channel: Channel,
        stub: EventServiceAsyncStub,
        events: Sequence[event_pb2.Event],
        durability: event_pb2.Durability.ValueType,
    ) -> None:
        self._channel = channel
        self._stub = stub
        self._events = events
        self._durability = durability
        self._done = 0
        self._flight = _Flight(sent=0)
        self._careful_until = 0
        """Events before this place are sent one by one."""
        self._failures = 0
        self._retry_delay_s = 0.0

    async def results(self) -> AsyncGenerator[Result, None]:
        """Gives one result per event.

        Raises:
            VidenceError: The server refuses the stream, or is away for longer than the retry policy allows.
        """
        while self._done < len(self._events):
            try:
                async with aclosing(self._results_of_one_stream()) as results:
                    async for result in results:
                        if await self._is_postponed(result):
                            break
                        yield self._taken(result)
            except VidenceError as error:
                if (refused := self._refused_alone(error)) is not None:
                    yield self._taken(refused)
                elif not self._looks_closer(error) and not await self._pause(error):
                    raise

    def _taken(self, result: Result) -> Result:
        self._failures = 0
        self._done += 1
        self._flight.answered.set()
        return result

    async def _is_postponed(self, result: Result) -> bool:
        """Whether the event is to be sent again, and all that follow with it: then the pause is over."""
        if not result.HasField("error"):
            return False
        error = VidenceError.from_status(result.error)
        return error.retry_after_s is not None and await self._pause(error)

    def _refused_alone(self, error: VidenceError) -> Result | None:
        """The result of the event for which the stream was refused, where it was the only one in flight."""
        if error.code is grpc.StatusCode.INVALID_ARGUMENT and self._flight.sent == self._done + 1:
            return _refused(self._events[self._done], error)
        return None

    def _looks_closer(self, error: VidenceError) -> bool:
        """Whether one event of several made the server refuse the stream; the next one goes to find it."""
        refused = error.code is grpc.StatusCode.INVALID_ARGUMENT and self._flight.sent > self._done
        if refused or error.reason == ClientReason.STATUS_LOST:
            self._careful_until = self._flight.sent
        return refused

    async def _pause(self, error: VidenceError) -> bool:
        """Waits until the next stream; False at once where none helps, or there were enough."""
        self._failures += 1
        if error.code not in PASSING and error.retry_after_s is None:
            return False
        return await self._channel.pause_before_reconnecting(
            error, failures=self._failures, server_delay_s=self._retry_delay_s, bounded=True
        )

    async def _results_of_one_stream(self) -> AsyncGenerator[Result, None]:
        flight = self._flight = _Flight(sent=self._done)

        async def start(remaining_s: float | None) -> StreamCall:
            return self._stub.PublishStream(self._requests(flight), timeout=remaining_s)

        try:
            async with Stream(start, _ENVELOPE, self._channel) as stream:
                async for response in stream:
                    if response.HasField("connected"):
                        self._retry_delay_s = response.connected.retry_delay.ToTimedelta().total_seconds()
                    for result in response.publish_results.results:
                        if self._done == flight.sent:
                            raise VidenceError.stream_broken("there are more results than events")
                        yield result
        finally:
            flight.is_over = True
            flight.answered.set()
        if self._done < len(self._events):
            raise VidenceError.stream_broken("there are fewer results than events")

    async def _requests(self, flight: _Flight) -> AsyncIterator[Request]:
        while flight.sent < len(self._events) and not flight.is_over:
            careful = flight.sent < self._careful_until
            if flight.sent - self._done >= (1 if careful else _IN_FLIGHT):
                flight.answered.clear()
                await flight.answered.wait()
                continue
            group = self._events[flight.sent : flight.sent + 1] if careful else self._group(flight.sent)
            flight.sent += len(group)
            yield Request(events=group, durability=self._durability)

    def _group(self, start: int) -> Sequence[event_pb2.Event]:
        """The events from there on, as many as make a good request."""
        until, size = start, 0
        while until < min(start + _GROUP, len(self._events)):
            size += self._events[until].ByteSize()
            if size > _GROUP_BYTES and until > start:
                break
            until += 1
        return self._events[start:until]


def _refused(event: event_pb2.Event, error: VidenceError) -> Result:
    """The result that the server would have given."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain="vidence", metadata=error.metadata))
    return Result(id=event.id, error=status)
