"""Recordings that tests make message by message."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message

from vidence_cli.recordings.format import (
    Header,
    RecordingWriter,
)
from vidence_cli.wire import SUBSCRIBE, WireStatus

OK = WireStatus("OK")


class Ticks:
    """A clock that goes on by a tenth of a second with every look."""

    def __init__(self) -> None:
        self._tenths = 0

    def __call__(self) -> float:
        self._tenths += 1
        return self._tenths / 10


def written(
    *connections: Sequence[Message],
    rpc: str = SUBSCRIBE,
    status: WireStatus | None = OK,
    request: Message | None = None,
) -> list[str]:
    """The lines of a recording of these connections."""
    target = io.StringIO()
    header = Header(rpc, "127.0.0.1:1", "0.1.0", datetime(2026, 1, 1, tzinfo=UTC))
    writer = RecordingWriter(target, header, monotonic=Ticks())
    for messages in connections:
        writer.open(request or header.kind.request())
        for message in messages:
            writer.message(message.SerializeToString())
        if status is not None:
            writer.status(status)
    return target.getvalue().splitlines()
