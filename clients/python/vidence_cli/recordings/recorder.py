"""Captures a watch stream as it stands on the wire, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.telling import WatchResponse
from vidence_cli.recordings.format import RecordingWriter
from vidence_cli.recordings.requests import WatchRequest, resumed
from vidence_cli.wire import STREAM_KINDS, WireStatus, WireStream, open_connection
from vidence_client import ServerUnreachable

_RETRIED = frozenset({"UNAVAILABLE", "UNKNOWN"})
_RETRY_S = 3.0


@dataclass(slots=True)
class Captured:
    """What was captured so far."""

    connections: int = 0
    messages: int = 0
    events: int = 0


class Recorder:
    """Records one stream; a broken connection is opened again after the last cursor.

    Args:
        address: The server.
        rpc: Name of the watch stream.
        writer: Takes everything.
        reconnect: Whether to go on after a connection broke.
        randomness: Source of the jitter.
        on_message: Told after every message.
    """

    def __init__(
        self,
        address: str,
        rpc: str,
        writer: RecordingWriter,
        *,
        reconnect: bool,
        randomness: random.Random,
        on_message: Callable[[Captured], None],
    ) -> None:
        self._address = address
        self._rpc = rpc
        self._writer = writer
        self._reconnect = reconnect
        self._randomness = randomness
        self._on_message = on_message
        self._cursor = ""
        self._ended = False
        self._delay_s = _RETRY_S
        self.captured = Captured()

    async def record(self, request: WatchRequest, *, count: int | None = None) -> WireStatus:
        """Records until `count` events came, or the stream ends for good; returns how the last call ended.

        Raises:
            ServerUnreachable: Nothing answered the first call.
        """
        while True:
            status = await self._record_call(resumed(request, self._cursor), count)
            if self.captured.messages == 0 and status.code == "UNAVAILABLE" and not status.reason:
                raise ServerUnreachable(status.message)
            if self._complete(count) or not self._goes_on(status):
                return status
            await asyncio.sleep(self._randomness.random() * self._delay_s)

    async def _record_call(self, request: WatchRequest, count: int | None) -> WireStatus:
        self.captured.connections += 1
        self._writer.open(request)
        cancelled = WireStatus("CANCELLED")
        async with open_connection(self._address) as channel:
            stream = WireStream(channel, self._rpc, request)
            try:
                while not self._complete(count) and (encoded := await stream.read()) is not None:
                    self._take(encoded)
            finally:
                # whatever ended the recording, the file has an end
                stream.cancel()
                self._writer.status(stream.status or cancelled)
        return stream.status or cancelled

    def _take(self, encoded: bytes) -> None:
        self._writer.message(encoded)
        response = cast(WatchResponse, STREAM_KINDS[self._rpc].response.FromString(encoded))
        self._cursor = response.cursor
        self.captured.messages += 1
        self.captured.events += len(response.events)
        self._ended = response.control.disconnected.reason == stream_control_pb2.DISCONNECT_REASON_ENDED
        if response.control.HasField("connected"):
            self._delay_s = response.control.connected.retry_delay.ToNanoseconds() / 1e9
        self._on_message(self.captured)

    def _complete(self, count: int | None) -> bool:
        return count is not None and self.captured.events >= count

    def _goes_on(self, status: WireStatus) -> bool:
        if self._ended:
            return False  # nothing comes any more, however often one asks
        return self._reconnect and (status.code in _RETRIED or status.code == "OK")
