"""The log of a small honest bus in memory, and the faults that a client must cope with."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from fakes.extraction_servicer import duration, status
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as control

LOG = "5bd1e995"
CONNECTION_ID = "con_0199c1f0-0000-7000-8000-000000000000"
UNAVAILABLE = Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="gone")
DRAINING = status(grpc.StatusCode.UNAVAILABLE, "DRAINING", "shutting down", retry_after_s=0.01)

Context = grpc.aio.ServicerContext[Any, Any]


def cursor(offset: int, epoch: int = 1) -> str:
    return f"{LOG}.{epoch:08x}.{offset:016x}"


def offset_of(text: str) -> int:
    return int(text.rsplit(".", 1)[1], 16)


@dataclass
class Faults:
    """What goes wrong. Lists are used up, one item per call or request."""

    openings: list[Status] = field(default_factory=list)
    """Statuses with which the next streams are refused."""
    unary: list[Status] = field(default_factory=list)
    """The same for unary calls."""
    cuts: deque[int] = field(default_factory=deque)
    """After how many messages the next subscriptions are cut with `cut_status`."""
    cut_status: Status | None = field(default_factory=lambda: UNAVAILABLE)
    """None: the stream ends with OK, without a word."""
    silences: deque[int] = field(default_factory=deque)
    """After how many messages the next subscriptions fall silent."""
    duplicate: bool = False
    """Writes every message of events twice."""
    skip: bool = False
    """Leaves every second message of events out."""
    publish_cuts: deque[int] = field(default_factory=deque)
    """After how many requests, taken and not answered, the next publishing streams are cut."""
    publish_silences: deque[int] = field(default_factory=deque)
    """After how many requests the next publishing streams fall silent."""
    publish_holds: deque[int] = field(default_factory=deque)
    """How many requests the next publishing streams take before they tell the first result."""
    refused_types: str = ""
    """Pattern of types that are refused one by one."""
    poisonous_types: str = ""
    """Pattern of types for which a whole stream is refused."""
    postponed: list[Status] = field(default_factory=list)
    """Errors with which the next events are refused for now."""
    acks: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing is acknowledged before it is set."""


@dataclass
class EventLog:
    """Keeps events in a list; offsets are dense from 1."""

    heartbeat_period_s: float = 30.0
    retry_delay_s: float = 0.01
    per_message: int = 3
    faults: Faults = field(default_factory=Faults)
    log: list[event_pb2.Event] = field(default_factory=list)
    oldest: int = 0
    """Events up to this offset are no longer kept."""
    gaps: dict[int, control.Gap] = field(default_factory=dict)
    """Told before the event that follows the offset."""
    known: dict[tuple[str, str], int] = field(default_factory=dict)
    repeated: int = 0
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.faults.acks.set()

    async def add(self, *events: event_pb2.Event) -> None:
        """Takes events as a publisher's call would."""
        for event in events:
            self.take(event)
        await self.tell()

    async def tell(self) -> None:
        """Has every stream look again."""
        async with self.changed:
            self.changed.notify_all()

    def take(
        self,
        event: event_pb2.Event,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
    ) -> pb.PublishResult:
        reached = durability or event_pb2.DURABILITY_WRITTEN
        if self.faults.postponed:
            return pb.PublishResult(id=event.id, error=self.faults.postponed.pop(0))
        if self.faults.refused_types and fnmatchcase(event.type, self.faults.refused_types):
            refusal = status(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "no such type")
            return pb.PublishResult(id=event.id, error=refusal)
        key = (event.source, event.id)
        if event.id and key in self.known:
            self.repeated += 1
            first = cursor(self.known[key])
            return pb.PublishResult(cursor=first, id=event.id, durability=reached, repeated=True)
        kept = event_pb2.Event()
        kept.CopyFrom(event)
        kept.cursor = cursor(len(self.log) + 1)
        kept.id = kept.id or f"given-{len(self.log) + 1}"
        kept.emit_time.CopyFrom(Timestamp(seconds=1_760_000_000 + len(self.log)))
        self.log.append(kept)
        self.known[kept.source, kept.id] = len(self.log)
        return pb.PublishResult(cursor=kept.cursor, id=kept.id, durability=reached)

    async def wait_for_more(self, at: int) -> bool:
        """Waits for more than a heartbeat period; False: nothing came."""
        async with self.changed:
            try:
                async with asyncio.timeout(self.heartbeat_period_s):
                    await self.changed.wait_for(
                        lambda: len(self.log) > at or self.draining.is_set() or at in self.gaps
                    )
            except TimeoutError:
                return False
        return True

    def connected(self, at: str) -> control.Connected:
        return control.Connected(
            connection_id=CONNECTION_ID,
            cursor=at,
            heartbeat_period=duration(self.heartbeat_period_s),
            retry_delay=duration(self.retry_delay_s),
        )


async def abort(context: Context, ending: Status) -> None:
    code = next(known for known in grpc.StatusCode if known.value[0] == ending.code)
    trailers = (("grpc-status-details-bin", ending.SerializeToString()),) if ending.details else ()
    await context.abort(code, ending.message, trailing_metadata=trailers)
