"""What all watch streams have in common: the shape of their messages, who listens, and what is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from vidence.stream.v1 import stream_control_pb2
from vidence_client.errors import VidenceError


class WatchMessage(Protocol):
    """What the responses of all watch streams have, `events` aside."""

    cursor: str
    previous_cursor: str

    @property
    def control(self) -> stream_control_pb2.StreamControl:
        """What the message says about the stream itself."""
        ...


class WatchEvent(Protocol):
    """What the events of all watch streams have."""

    cursor: str


R = TypeVar("R", bound=WatchMessage)
E = TypeVar("E", bound=WatchEvent)
GapListener = Callable[[stream_control_pb2.Gap], Awaitable[None] | None]
ReconnectListener = Callable[[VidenceError], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """A watch in numbers.

    Attributes:
        connections: Connections opened.
        messages: Messages read, those about the stream included.
        events: Events read.
        heartbeats: Heartbeats read.
        gaps: Gaps told.
    """

    connections: int = 0
    messages: int = 0
    events: int = 0
    heartbeats: int = 0
    gaps: int = 0

    @property
    def reconnects(self) -> int:
        """Connections opened after the first."""
        return max(0, self.connections - 1)
