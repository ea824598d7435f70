"""An event service with events, for tests of what it answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.event_bus import event, incoming
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.event.service import EventService
from vidence_server.streams.append import Durability
from vidence_server.streams.frames import Batch, Opening
from vidence_server.streams.requests import Earliest, SubscriptionRequest
from vidence_server.streams.subscription import Subscription

WRITTEN = Durability.WRITTEN


def ids(entries: Any) -> list[str]:
    return [entry.key.id for entry in entries]


async def publish(service: EventService, *names: str, **fields: Any) -> None:
    events = incoming(*(event(name, **fields) for name in names))
    await service.publish(events, WRITTEN, atomic=True)


def request(**changes: Any) -> SubscriptionRequest:
    defaults: dict[str, Any] = {"start": Earliest(), "connection_id": "con_1", "heartbeat_period_s": 30}
    return SubscriptionRequest(**(defaults | changes))


class SteppingClock:
    """Wall time stands still until a test moves it."""

    def __init__(self) -> None:
        self.wall = datetime.now(UTC).replace(microsecond=0)

    @property
    def time_ns(self) -> int:
        return int(self.wall.timestamp()) * 1_000_000_000

    def step(self, seconds: float = 10) -> None:
        self.wall += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.wall.timestamp()


async def take(subscription: Subscription, count: int) -> list[event_pb2.Event]:
    events: list[event_pb2.Event] = []
    while len(events) < count:
        frame = await subscription.next()
        if isinstance(frame, Batch):
            events += pb.SubscribeResponse.FromString(frame.message).events
        else:
            assert isinstance(frame, Opening)
    return events
