"""What happened in a session, told by its watch: for golden transcripts and validators."""

from __future__ import annotations

import asyncio

from eventually import PATIENCE_S
from fakes.capture import Camera
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence_client.conformance import Connection, Watcher, check_watch, from_responses

State = session_pb2.SessionState
Events = list[session_event_pb2.CaptureEvent]

PROGRESS = {
    "quality_update",
    "state_transition",
    "capture_progress",
    "quality_gate_passed",
    "quality_gate_failed",
}
"""Payloads whose number depends on the speed of frames."""


def story(events: Events) -> list[str]:
    """What happened, without what depends on speed."""
    told = []
    for event in events:
        kind = event.WhichOneof("payload") or ""
        match kind:
            case "state_change":
                told.append(f"{State.Name(event.state_change.new)[14:]} {event.state_change.reason}")
            case "guidance":
                told.append(f"» {event.guidance.code}")
            case "liveness":
                told.append(f"liveness {event.liveness.WhichOneof('event')}")
            case _ if kind not in PROGRESS:
                told.append(kind)
    return told


async def record(
    camera: Camera, *, opened: asyncio.Event | None = None, within_s: float = PATIENCE_S, **start: object
) -> list[pb.WatchSessionResponse]:
    """All messages of a watch, to the end of the session; `opened` is set with the first."""
    messages: list[pb.WatchSessionResponse] = []
    call = camera.watch(**start)
    async with asyncio.timeout(within_s):
        while isinstance(message := await call.read(), pb.WatchSessionResponse):
            messages.append(message)
            if opened is not None:
                opened.set()
    return messages


def judged(*recordings: list[pb.WatchSessionResponse]) -> list[object]:
    """What the validators find wrong with the connections of one watcher."""
    connections = [
        from_responses(messages, after_cursor=messages[0].cursor if index else "")
        for index, messages in enumerate(recordings)
    ]
    assert all(isinstance(one, Connection) for one in connections)
    return list(check_watch(Watcher(tuple(connections))))
