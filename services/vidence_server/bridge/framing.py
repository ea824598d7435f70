"""How a stream is written: NDJSON, SSE, or the bytes as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from vidence_server.bridge.contract import Rpc
from vidence_server.bridge.items import items_of
from vidence_server.bridge.plain import dumps, to_plain
from vidence_server.bridge.problems import Problem, problem_of
from vidence_server.core.errors import DomainError, Reason

HTTP_BODY = "google.api.HttpBody"
ENDED = "ended"
"""Id under which a browser asks again for a stream that is over: the answer is 204, and it stops asking."""
RETRY_MS = 3000
RETRY = b"retry: %d\n\n" % RETRY_MS
_DRAINING = 1
"""`DISCONNECT_REASON_DRAINING`"""


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
        self.is_watch = rpc.is_watch
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
        text = "".join(self._write(response)).encode()
        if self._rpc.is_watch:
            self._progress.cursor = getattr(response, "cursor", "") or self._progress.cursor
        return text

    def end(self) -> bytes:
        """What comes last where the stream ended well: a browser does not ask for it again."""
        if self.is_events and (self._progress.ended or not self._rpc.is_watch):
            return f"id: {ENDED}:{self._progress.cursor}\n\n".encode()
        return b""

    def fail(self, problem: Problem) -> bytes:
        """What comes last where the stream broke after it had begun: a status that HTTP has no place for.

        Raw bytes have no place for it either: their connection has to break.
        """
        plain = problem.plain(self._pool)
        if self.is_events:
            return f"event: failed\ndata: {dumps(plain)}\n\n".encode()
        return (dumps({"error": plain}) + "\n").encode()

    def stop(self) -> bytes:
        """What comes last where the bridge stops first: who watches resumes, what is a result is not whole.

        Not for raw bytes, see `fail`.
        """
        if self._rpc.is_watch:
            last = self._rpc.response()
            disconnected = last.control.disconnected  # type: ignore[attr-defined]  # the shape of watch streams
            disconnected.reason = _DRAINING
            disconnected.retry_delay.FromMilliseconds(RETRY_MS)
            last.cursor = disconnected.cursor = self._progress.cursor  # type: ignore[attr-defined]  # see above
            return self.write(last)
        return self.fail(problem_of(stopping()))

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


def stopping() -> DomainError:
    """Why the bridge does not finish what it was asked for."""
    return DomainError(Reason.DRAINING, "The bridge is shutting down.", retry_after_s=RETRY_MS / 1000)
