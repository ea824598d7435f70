"""A watcher in a process of its own, to be stopped or killed: `watching_process.py ADDRESS FILE`.

It watches from the newest event on, opens a stream again where the one before broke, and appends what it sees
to a file: `RecordFile` reads it.
"""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence_client.conformance import Connection, from_responses

METHOD = "/vidence.event.v1.EventService/Subscribe"
OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
)
HEADER = struct.Struct(">cI")
OPENED, MESSAGE, ENDED = b"O", b"M", b"E"


def watch(address: str, file: BinaryIO) -> None:
    """Watches until the process ends."""
    after = ""
    while True:
        with grpc.insecure_channel(address, OPTIONS) as channel, suppress(grpc.RpcError):
            write(file, OPENED, after.encode())
            subscribe: Any = channel.unary_stream(METHOD)  # messages as they are on the wire
            request = pb.SubscribeRequest(after_cursor=after) if after else pb.SubscribeRequest()
            for message in subscribe(request.SerializeToString(), wait_for_ready=True):
                write(file, MESSAGE, message)
                after = pb.SubscribeResponse.FromString(message).cursor
            write(file, ENDED, b"")


def write(file: BinaryIO, kind: bytes, content: bytes) -> None:
    """Adds a record, in one write, so that a kill leaves no half of one but at the end."""
    file.write(HEADER.pack(kind, len(content)) + content)


class RecordFile:
    """What a watching process has written so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""
        self._after: list[str] = []
        self._responses: list[list[pb.SubscribeResponse]] = []
        self._ended: set[int] = set()

    def refresh(self) -> None:
        """Reads what is new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        data = self._rest + data
        place = 0
        while place + HEADER.size <= len(data):
            kind, size = HEADER.unpack_from(data, place)
            end = place + HEADER.size + size
            if end > len(data):
                break
            self._take(kind, data[place + HEADER.size : end])
            place = end
        self._rest = data[place:]

    def _take(self, kind: bytes, content: bytes) -> None:
        if kind == OPENED:
            self._after.append(content.decode())
            self._responses.append([])
        elif kind == MESSAGE:
            self._responses[-1].append(pb.SubscribeResponse.FromString(content))
        else:
            self._ended.add(len(self._responses) - 1)

    @property
    def cursor(self) -> str:
        """The last cursor that was seen."""
        self.refresh()
        return next((messages[-1].cursor for messages in reversed(self._responses) if messages), "")

    def events(self) -> list[event_pb2.Event]:
        """All events that came, in their order."""
        self.refresh()
        return [event for messages in self._responses for message in messages for event in message.events]

    def connections(self) -> list[Connection]:
        """The records of all connections on which something came."""
        self.refresh()
        return [
            from_responses(messages, after_cursor=after, ended_by_server=number in self._ended)
            for number, (after, messages) in enumerate(zip(self._after, self._responses, strict=True))
            if messages
        ]


if __name__ == "__main__":
    with Path(sys.argv[2]).open("ab", buffering=0) as record:
        watch(sys.argv[1], record)
