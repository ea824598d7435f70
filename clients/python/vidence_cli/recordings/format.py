"""Recordings: a captured stream as a file of JSON lines.

The first line is the header. Then come the connections in order: a line `open` with the request, a line
`message` for everything that arrived, a line `status` for the end. Requests and messages are the bytes of the
wire in base64; `at_s` counts seconds from `start_time`. A recording without a status at its end was cut off.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from google.protobuf.message import DecodeError, Message

from vidence_cli.wire import STREAM_KINDS, StreamKind, WireStatus

FORMAT = 1
"""Number of this format, the value of `vidence_recording` in the header."""


class RecordingError(Exception):
    """The file is no recording, or a damaged one; the text names the line."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was recorded, from where, when and by which version."""

    rpc: str
    server: str
    version: str
    start_time: datetime

    @property
    def kind(self) -> StreamKind:
        """What the RPC takes and gives."""
        return STREAM_KINDS[self.rpc]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message and when it came, s after the recording began."""

    at_s: float
    message: Message


@dataclass(slots=True)
class Connection:
    """One call: its request, what came, and how it ended; without a status the recording was cut off."""

    request: Message
    arrivals: list[Arrival] = field(default_factory=list)
    status: WireStatus | None = None

    @property
    def messages(self) -> list[Message]:
        """What came, in order."""
        return [arrival.message for arrival in self.arrivals]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as it was read."""

    header: Header
    connections: list[Connection]

    @property
    def arrivals(self) -> Iterator[Arrival]:
        """Everything that came, over all connections."""
        for connection in self.connections:
            yield from connection.arrivals


class RecordingWriter:
    """Writes a recording line by line, so that what was captured survives the end of the recorder.

    Args:
        target: A text file that is open for writing.
        header: What is recorded.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(self, target: TextIO, header: Header, *, monotonic: Callable[[], float]) -> None:
        self._target = target
        self._monotonic = monotonic
        self._start_s = monotonic()
        self._write(
            {
                "vidence_recording": FORMAT,
                "rpc": header.rpc,
                "server": header.server,
                "version": header.version,
                "start_time": header.start_time.astimezone(UTC).isoformat(),
            }
        )

    def open(self, request: Message) -> None:
        """A call was made."""
        self._stamped("open", _text(request.SerializeToString()))

    def message(self, message: bytes) -> None:
        """A message came."""
        self._stamped("message", _text(message))

    def status(self, status: WireStatus) -> None:
        """The call ended."""
        self._stamped("status", {"code": status.code, "reason": status.reason, "message": status.message})

    def _stamped(self, kind: str, content: object) -> None:
        self._write({kind: content, "at_s": round(self._monotonic() - self._start_s, 6)})

    def _write(self, members: Mapping[str, object]) -> None:
        self._target.write(json.dumps(members, ensure_ascii=False) + "\n")
        self._target.flush()


def read_recording(lines: Iterable[str]) -> Recording:
    """Reads a recording.

    Raises:
        RecordingError: A line is not what it must be there.
    """
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (1, ""))
    header = _header(_members(1, first))
    recording = Recording(header, [])
    for number, line in numbered:
        try:
            _take(recording, _members(number, line))
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise RecordingError(f"line {number} is damaged: {_why(error)}") from None
    if not recording.connections:
        raise RecordingError("nothing was recorded")
    return recording


def _header(members: Mapping[str, Any]) -> Header:
    if members.get("vidence_recording") != FORMAT:
        raise RecordingError("line 1 is no header of a recording that this version knows")
    try:
        start_time = datetime.fromisoformat(members["start_time"])
        header = Header(members["rpc"], members["server"], members["version"], start_time)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"line 1 is damaged: {_why(error)}") from None
    if header.rpc not in STREAM_KINDS:
        raise RecordingError("the header names an RPC that this version does not know")
    return header


def _take(recording: Recording, members: Mapping[str, Any]) -> None:
    """Adds one line to what was read."""
    kind, at_s = recording.header.kind, float(members["at_s"])
    if "open" in members:
        if recording.connections and recording.connections[-1].status is None:
            raise ValueError("a call begins before the last one ended")
        recording.connections.append(Connection(_decoded(kind.request, members["open"])))
        return
    if not recording.connections or recording.connections[-1].status is not None:
        raise ValueError("it belongs to no call")
    current = recording.connections[-1]
    if "message" in members:
        current.arrivals.append(Arrival(at_s, _decoded(kind.response, members["message"])))
    else:
        status = members["status"]
        current.status = WireStatus(str(status["code"]), str(status["reason"]), str(status["message"]))


def _members(number: int, line: str) -> Mapping[str, Any]:
    try:
        members = json.loads(line)
    except json.JSONDecodeError:
        members = None
    if not isinstance(members, dict):
        raise RecordingError(f"line {number} is no JSON object")
    return members


def _decoded(kind: type[Message], text: str) -> Message:
    message = kind()
    message.ParseFromString(base64.b64decode(text, validate=True))
    return message


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _why(error: Exception) -> str:
    """What is wrong, without what the line holds."""
    match error:
        case KeyError():
            return f"{error.args[0]} is missing"
        case binascii.Error():
            return "it is no base64"
        case DecodeError():
            return "its bytes are no message of this RPC"
        case _:
            return (
                str(error)
                if type(error) is ValueError and "'" not in str(error)
                else "a value has the wrong form"
            )
