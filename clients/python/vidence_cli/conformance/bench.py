"""What the scenarios share: the server, the events of this run, and where verdicts go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.conformance.verdicts import WATCH_GUARANTEES, Verdicts
from vidence_cli.watch_record import watch_record
from vidence_cli.wire import STREAM_KINDS, SUBSCRIBE, WireStatus, WireStream, open_connection
from vidence_client import conformance

HEARTBEAT_S = 1.0
_LIFE_LENGTH = 17  # of the part of a cursor that names log and epoch
PATIENCE_S = 20.0
"""How long a scenario waits for what must come, s."""


@dataclass(slots=True)
class Watched:
    """What one call gave: its messages, and its status where the server ended it."""

    request: Message
    messages: list[Message] = field(default_factory=list)
    status: WireStatus | None = None
    complete: bool = False
    """Whether what was waited for came."""

    @property
    def record(self) -> conformance.Connection:
        """As the validators take it."""
        return watch_record(self.request, self.messages, self.status)

    @property
    def events(self) -> list[event_pb2.Event]:
        """All events, in the order of arrival."""
        return [event for message in self.messages for event in getattr(message, "events", ())]

    @property
    def cursors(self) -> list[str]:
        """All cursors that came, of messages and events, each once, in order."""
        found: dict[str, None] = {}
        for message in self.messages:
            for event in getattr(message, "events", ()):
                found[event.cursor] = None
            found[getattr(message, "cursor", "")] = None
        return [cursor for cursor in found if cursor]


Until = Callable[[Watched], bool]


class Bench:
    """One run against one server.

    Args:
        address: The server.
        source: Source of all events of this run, nobody else's.
        verdicts: Takes what is found.
    """

    def __init__(self, address: str, source: str, verdicts: Verdicts) -> None:
        self.address = address
        self.source = source
        self.verdicts = verdicts
        self.published: list[event_pb2.Event] = []
        """What was acknowledged, in the order of the log, cursors set."""

    @property
    def last_cursor(self) -> str:
        """Cursor of the last event of this run."""
        return self.published[-1].cursor

    @property
    def log(self) -> conformance.PublishedLog:
        """The part of the log that this run wrote."""
        return conformance.PublishedLog(
            conformance.LoggedEvent(event.cursor, f"{event.source}\n{event.id}", event)
            for event in self.published
        )

    def own(self, *conditions: event_pb2.EventFilter) -> event_pb2.EventFilter:
        """A filter for events of this run, with further conditions."""
        wanted = event_pb2.EventFilter(sources=[self.source])
        for condition in conditions:
            wanted.MergeFrom(condition)
        return wanted

    def request(self, wanted: event_pb2.EventFilter | None = None) -> event_service_pb2.SubscribeRequest:
        """A subscription with short heartbeats; its start is left open."""
        request = event_service_pb2.SubscribeRequest(filter=wanted)
        request.heartbeat_period.FromNanoseconds(round(HEARTBEAT_S * 1e9))
        return request

    async def watch(
        self,
        request: Message,
        until: Until,
        *,
        rpc: str = SUBSCRIBE,
        opened: asyncio.Event | None = None,
        patience_s: float = PATIENCE_S,
        address: str = "",
    ) -> Watched:
        """Reads a call on a connection of its own until a condition holds, the call ends, or patience does.

        Args:
            request: The request.
            until: What is waited for; asked after every message.
            rpc: The RPC.
            opened: Set when the first message came, or none will.
            patience_s: Limit, s.
            address: Where to connect; empty: the server itself.
        """
        watched = Watched(request)
        async with open_connection(address or self.address) as channel:
            stream = WireStream(channel, rpc, request, timeout=patience_s)
            try:
                while not watched.complete and (encoded := await stream.read()) is not None:
                    watched.messages.append(STREAM_KINDS[rpc].response.FromString(encoded))
                    watched.complete = until(watched)
                    if opened is not None:
                        opened.set()
                watched.status = stream.status
            finally:
                stream.cancel()
                if opened is not None:
                    opened.set()
        return watched

    def judge(self, scenario: str, *connections: Watched, log: bool = True) -> None:
        """Has the validators judge the connections of one watcher, the last of which must be complete."""
        complete = bool(connections) and connections[-1].complete
        self.verdicts.expect(scenario, "Alive", complete, _why(connections[-1]))
        watcher = conformance.Watcher(tuple(connection.record for connection in connections))
        found = conformance.check_watch(watcher, self.log if log else None)
        self.verdicts.judged(scenario, WATCH_GUARANTEES, found)


def reached(cursor: str) -> Until:
    """Until the stream has covered the log up to a cursor."""

    def done(watched: Watched) -> bool:
        latest = watched.cursors[-1] if watched.cursors else ""
        # a judge may look inside: cursors of one log and epoch sort as text
        return latest.startswith(cursor[:_LIFE_LENGTH]) and latest >= cursor

    return done


def _why(watched: Watched) -> str:
    status = watched.status
    if status is None or status.code == grpc.StatusCode.DEADLINE_EXCEEDED.name:
        return f"what was waited for did not come, {len(watched.messages)} messages came"
    return f"the stream ended with {status.reason or status.code}"
