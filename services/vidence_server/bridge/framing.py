"""How a stream is written: NDJSON, SSE, or the bytes as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from vidence_server.bridge.contract import Rpc
from vidence_server.bridge.items import items_of
from vidence_server.bridge.plain import dumps, to_plain
from vidence_server.bridge.problems import Problem

HTTP_BODY = "google.api.HttpBody"
ENDED = "ended"
"""Id under which a browser asks again for a stream that is over: the answer is 204, and it stops asking."""
RETRY = b"retry: 3000\n\n"


@dataclass(slots=True)
class _Progress:
    cursor: str = ""
    ended: bool = False


class Framing:
    """Writes the responses of one stream.

    Args:
        rpc: What is called.
        pool: Its messages.
        events: Whether SSE was asked for.
    """

    def __init__(self, rpc: Rpc, pool: DescriptorPool, *, events: bool) -> None:
        self._rpc = rpc
        self._pool = pool
        self._progress = _Progress()
        self._write: Callable[[Message], Iterator[str]] = self._events if events else self._line
        self.is_events = events
        self.is_raw = not events and rpc.response.DESCRIPTOR.full_name == HTTP_BODY

    @property
    def media_type(self) -> str:
        """What is written, unless it is raw."""
        return "text/event-stream" if self.is_events else "application/x-ndjson"

    @property
    def opening(self) -> bytes:
        """What comes first."""
        return RETRY if self.is_events else b""

    def write(self, response: Message) -> bytes:
        """One response."""
        if self.is_raw:
            return bytes(getattr(response, "data", b""))
        return "".join(self._write(response)).encode()

    def end(self) -> bytes:
        """What comes last where the stream ended well: a browser does not ask for it again."""
        if self.is_events and (self._progress.ended or not self._rpc.is_watch):
            return f"id: {ENDED}:{self._progress.cursor}\n\n".encode()
        return b""

    def fail(self, problem: Problem) -> bytes:
        """What comes last where the stream broke after it had begun: a status that HTTP has no place for."""
        plain = problem.plain(self._pool)
        if self.is_raw:
            return b""
        if self.is_events:
            return f"event: failed\ndata: {dumps(plain)}\n\n".encode()
        return (dumps({"error": plain}) + "\n").encode()

    def _line(self, response: Message) -> Iterator[str]:
        yield dumps(to_plain(response, self._pool)) + "\n"

    def _events(self, response: Message) -> Iterator[str]:
        for item in items_of(self._rpc, response, self._pool):
            self._progress.cursor = item.cursor or self._progress.cursor
            self._progress.ended = item.ends_for_good
            resume = f"id: {item.cursor}\n" if item.cursor else ""
            # A type may be any text; a line break would begin another field.
            name = " ".join(item.name.split())
            yield f"{resume}event: {name}\ndata: {dumps(item.envelope)}\n\n"
