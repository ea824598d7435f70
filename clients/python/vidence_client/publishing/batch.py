"""Requests made of waiting events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidence.event.v1 import event_service_pb2
from vidence_client.publishing.encoding import request_of


class Complete(bytes):
    """An encoded event that has its source and id already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """A request that was made of waiting events.

    Attributes:
        first: Number of its first event; of a part's part at most that.
        count: Events in it.
        request: The encoded `PublishStreamRequest`.
    """

    first: int
    count: int
    request: bytes

    def events(self) -> Sequence[bytes]:
        """Decodes the request into its encoded events."""
        decoded = event_service_pb2.PublishStreamRequest.FromString(self.request)
        return [event.SerializeToString() for event in decoded.events]

    def part(self, places: Sequence[int], durability: int) -> Batch:
        """Makes a request of some of the events, by their places from 0, in their order; at least one."""
        events = self.events()
        chosen = [events[place] for place in places]
        return Batch(self.first + places[0], len(chosen), request_of(chosen, durability))
