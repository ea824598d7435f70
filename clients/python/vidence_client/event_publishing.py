"""Publishing over a client's own channel: some together, many with a result each, or in the background."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from vidence.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.publishing import Publisher
from vidence_client.publishing.course import Course


class EventPublishing:
    """The publishing half of `EventsClient`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = event_service_pb2_grpc.EventServiceStub(channel.rpc)

    async def publish(
        self,
        *events: event_pb2.Event,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Sequence[event_service_pb2.PublishResult]:
        """Publishes events together and waits until they are in the log: all of them, or none.

        Events without an id are given one, so that the call can be tried again without harm.

        Args:
            *events: The events, at most 1,000; `make_event` makes them.
            durability: What they must survive before the answer comes; unspecified: WRITTEN.
            timeout: Seconds for all attempts.

        Returns:
            One result per event.

        Raises:
            VidenceError: An event was refused; `ServerUnreachable` where nothing answered.
        """
        request = event_service_pb2.PublishRequest(events=events, durability=durability)
        for event in request.events:
            event.id = event.id or uuid.uuid4().hex
        response = await self._channel.call(self._stub.Publish, request, timeout=timeout)
        return response.results

    def publish_in_order(
        self,
        events: Sequence[event_pb2.Event],
        *,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
    ) -> AsyncGenerator[event_service_pb2.PublishResult, None]:
        """Publishes any number of events and gives the result of each, in their order, as they come.

        A stream that breaks is replaced, as often as the retry policy says without a result in between, and
        what has no result is sent again: the server recognises what it has. A refused event has its error in
        its result and stops no other.

        Args:
            events: At most 64,000 bytes each; those without an id are given one here.
            durability: What they must survive before their results come; unspecified: WRITTEN.

        Raises:
            VidenceError: Publishing as a whole is refused; `ServerUnreachable` where nothing answers.
        """
        named = [event if event.id else _named(event) for event in events]
        return Course(self._channel, self._stub, named, durability).results()

    def publisher(self, source: str, **options: Any) -> Publisher:
        """Makes a publisher to the same server, with a connection of its own; options as in `Publisher`."""
        return Publisher(self._channel.address, source=source, **options)


def _named(event: event_pb2.Event) -> event_pb2.Event:
    """A copy with an id."""
    copy = event_pb2.Event()
    copy.CopyFrom(event)
    copy.id = uuid.uuid4().hex
    return copy
