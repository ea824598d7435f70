"""One subscriber of a load: what it saw of the stream and what was missing."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from vidence.event.v1 import event_service_pb2
from vidence_cli.load.latency import LatencyHistogram
from vidence_cli.wire import WireStatus, WireStream

SENT_AT = struct.Struct("<d")
"""How a load's events carry when they were sent: s on the monotonic clock of the machine."""


@dataclass(slots=True)
class Seen:
    """What one subscriber saw.

    Attributes:
        connected: Whether `connected` came.
        connect_s: From the call to `connected`, s.
        events: Events of this load.
        heartbeats: Heartbeats.
        lost: Events that did not come though a later one did.
        doubled: Events that came again, or out of order.
        breaks: Messages whose `previous_cursor` is not the cursor before.
        gaps: Gaps told.
        longest_silence_s: Longest time without any message after `connected`, s.
        status: How the call ended, where it ended before the load did.
    """

    connected: bool = False
    connect_s: float = 0.0
    events: int = 0
    heartbeats: int = 0
    lost: int = 0
    doubled: int = 0
    breaks: int = 0
    gaps: int = 0
    longest_silence_s: float = 0.0
    status: WireStatus | None = None


class LoadSubscriber:
    """Reads one subscription and keeps count.

    Args:
        monotonic: Seconds on the clock that the events of the load were stamped with.
        latencies: Takes the time from sending to arrival of every event.
        on_connected: Called once, when `connected` came.
    """

    def __init__(
        self, *, monotonic: Callable[[], float], latencies: LatencyHistogram, on_connected: Callable[[], None]
    ) -> None:
        self.seen = Seen()
        self.reached = asyncio.Event()
        self._monotonic = monotonic
        self._latencies = latencies
        self._on_connected = on_connected
        self._cursor = ""
        self._number = 0
        self._goal: float = math.inf
        self._began_s = self._heard_s = 0.0

    async def read(self, stream: WireStream) -> None:
        """Reads until the stream ends, or the task is cancelled."""
        self._began_s = self._heard_s = self._monotonic()
        try:
            while (encoded := await stream.read()) is not None:
                self._take(event_service_pb2.SubscribeResponse.FromString(encoded), self._hear())
            self.seen.status = stream.status
        finally:
            self._hear()
            self.reached.set()

    def aim_at(self, number: int) -> None:
        """Has `reached` set once the event of this number came, or the stream ended."""
        self._goal = number
        if self._number >= number:
            self.reached.set()

    def _hear(self) -> float:
        """Measures the silence up to now, and returns now."""
        now_s = self._monotonic()
        if self.seen.connected:
            self.seen.longest_silence_s = max(self.seen.longest_silence_s, now_s - self._heard_s)
        self._heard_s = now_s
        return now_s

    def _take(self, response: event_service_pb2.SubscribeResponse, now_s: float) -> None:
        if self._cursor and response.previous_cursor != self._cursor:
            self.seen.breaks += 1
        self._cursor = response.cursor
        for event in response.events:
            self._count(event.sequence)
            self._latencies.add(now_s - SENT_AT.unpack(event.opaque.content)[0])
        match response.control.WhichOneof("control"):
            case "connected":
                self.seen.connected, self.seen.connect_s = True, now_s - self._began_s
                self._on_connected()
            case "heartbeat":
                self.seen.heartbeats += 1
            case "gap":
                self.seen.gaps += 1
            case _:
                pass

    def _count(self, number: int) -> None:
        if number <= self._number:
            self.seen.doubled += 1
            return
        self.seen.lost += number - self._number - 1
        self._number = number
        self.seen.events += 1
        if number >= self._goal:
            self.reached.set()
