"""Publishing events one by one or in groups, with a result for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client import Client, ServerUnreachable, VidenceError

DEFAULT_SOURCE = "vidence/command"
_GROUP = 100
_GROUP_BYTES = 512 * 1024


@dataclass(slots=True)
class Outcome:
    """What became of the events so far; `tell` is given each result."""

    tell: Callable[[event_service_pb2.PublishResult], None]
    published: int = 0
    repeated: int = 0
    refused: int = 0

    @property
    def told(self) -> int:
        """Results so far."""
        return self.published + self.repeated + self.refused

    def take(self, result: event_service_pb2.PublishResult) -> None:
        """Counts and tells one result."""
        if result.HasField("error"):
            self.refused += 1
        elif result.repeated:
            self.repeated += 1
        else:
            self.published += 1
        self.tell(result)


async def publish_each(
    client: Client,
    events: Sequence[event_pb2.Event],
    durability: event_pb2.Durability.ValueType,
    outcome: Outcome,
) -> None:
    """Publishes all events in order; a refused one does not stop the others.

    They go in groups. A group that is refused goes again event by event: then only the wrong ones are.

    Raises:
        ServerUnreachable: Nothing answers; the events that are left are not tried.
    """
    for group in _groups(events):
        try:
            results = await client.events.publish(*group, durability=durability)
        except ServerUnreachable:
            raise
        except VidenceError as error:
            if len(group) == 1:
                outcome.take(_refused(group[0], error))
                continue
            for event in group:
                await publish_each(client, [event], durability, outcome)
            continue
        for result in results:
            outcome.take(result)


def _groups(events: Sequence[event_pb2.Event]) -> list[list[event_pb2.Event]]:
    """Neighbours together, as many as one call takes."""
    groups: list[list[event_pb2.Event]] = []
    size = 0
    for event in events:
        if not groups or len(groups[-1]) == _GROUP or size + event.ByteSize() > _GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(event)
        size += event.ByteSize()
    return groups


def _refused(event: event_pb2.Event, error: VidenceError) -> event_service_pb2.PublishResult:
    """The result that `PublishStream` would have given."""
    status = Status(code=error.code.value[0], message=error.message)
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain="vidence", metadata=error.metadata))
    return event_service_pb2.PublishResult(id=event.id, error=status)
