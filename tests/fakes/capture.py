"""A capture service with scripted eyes behind a real server, and a camera before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc

from eventually import PATIENCE_S
from fakes.capture_scripts import ScriptedComparer, ScriptedEyes, ScriptedReader, scripted
from fakes.runtime import RunningServer, error_info, running_server, status_of
from fakes.storage import FakeBus
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import capture_service_pb2_grpc as pb_grpc
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence_server.capture.app import Capture, Helpers, open_service, register
from vidence_server.capture.ports import Snapshots
from vidence_server.capture.servicer import SERVICE_NAME
from vidence_server.capture.settings import CaptureSettings
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.database import Database

GATES = """
[[face]]
measure = "presence"
low = 1
high = 1
guidance_low = "show_face"
guidance_high = "only_one_face"
[[face]]
measure = "sharpness"
low = 50
margin = 10
guidance_low = "too_blurred"
[[document]]
measure = "presence"
low = 1
high = 1
guidance_low = "show_document"
guidance_high = "only_one_document"
[[document]]
measure = "glare"
high = 20
margin = 5
guidance_high = "less_glare"
[[document]]
measure = "sharpness"
low = 50
margin = 10
guidance_low = "too_blurred"
"""


@dataclass
class RunningCapture:
    """A capture service behind a real server."""

    running: RunningServer
    capture: Capture
    eyes: ScriptedEyes
    bus: FakeBus

    @property
    def stub(self) -> pb_grpc.CaptureServiceAsyncStub:
        return pb_grpc.CaptureServiceStub(self.running.channel)

    async def create(self, *targets: str, ttl_s: float | None = None, **plan: Any) -> Camera:
        """A session of a plan, and its camera."""
        asked = session_pb2.SessionPlan(
            targets=[session_pb2.Target.Value(f"TARGET_{target}") for target in targets or ("FACE",)], **plan
        )
        request = pb.CreateSessionRequest(plan=asked)
        if ttl_s is not None:
            request.ttl.FromTimedelta(timedelta(seconds=ttl_s))
        return Camera(self, await self.stub.CreateSession(request))


@dataclass
class Camera:
    """A client with the token of one session."""

    server: RunningCapture
    created: pb.CreateSessionResponse
    number: int = 0

    @property
    def session_id(self) -> str:
        return self.created.session.id

    def watch(self, **start: Any) -> grpc.aio.UnaryStreamCall[Any, pb.WatchSessionResponse]:
        request = pb.WatchSessionRequest(
            session_id=self.session_id, session_token=self.created.session_token, **start
        )
        return self.server.stub.WatchSession(request)

    async def push(self, content: bytes | None = None, **said: Any) -> pb.PushFrameResponse:
        """Pushes one frame by a unary call; by default one in which everything is right."""
        self.number += 1
        frame = pb.Frame(
            frame_number=self.number, encoded=scripted(self.number, **said) if content is None else content
        )
        return await self.server.stub.PushFrame(
            pb.PushFrameRequest(
                session_id=self.session_id, session_token=self.created.session_token, frame=frame
            )
        )

    async def push_until(self, state: str, *, within_s: float = PATIENCE_S, **said: Any) -> int:
        """Pushes frames until the session is in a state; how many. `TimeoutError` where it never is."""
        wanted, first = session_pb2.SessionState.Value(f"SESSION_STATE_{state}"), self.number
        async with asyncio.timeout(within_s):
            while await self._pushed(**said) != wanted:
                pass
        return self.number - first

    async def _pushed(self, **said: Any) -> session_pb2.SessionState.ValueType:
        """The state after one more frame."""
        try:
            return (await self.push(**said)).state
        except grpc.aio.AioRpcError as error:
            if error_info(status_of(error)).reason != "SESSION_ENDED":
                raise
            return (await self.get()).state

    async def get(self) -> session_pb2.Session:
        return (await self.server.stub.GetSession(pb.GetSessionRequest(session_id=self.session_id))).session


async def events_until(
    call: grpc.aio.UnaryStreamCall[Any, pb.WatchSessionResponse], payload: str = ""
) -> list[session_event_pb2.CaptureEvent]:
    """Events up to the first one of a payload; with none, to the end of the stream."""
    events: list[session_event_pb2.CaptureEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(message := await call.read(), pb.WatchSessionResponse):
            events += message.events
            if payload and payload in kinds(events):
                return events
    assert not payload, f"no {payload} in {kinds(events)}"
    return events


def kinds(events: Sequence[session_event_pb2.CaptureEvent]) -> list[str]:
    return [event.WhichOneof("payload") or "" for event in events]


@asynccontextmanager
async def capture_server(
    folder: Path,
    *,
    eyes: ScriptedEyes | None = None,
    reader: ScriptedReader | None = None,
    comparer: ScriptedComparer | None = None,
    snapshots: Snapshots | None = None,
    bus: FakeBus | None = None,
    clock: Clock | None = None,
    server: dict[str, Any] | None = None,
    form: BlobFormat | None = None,
    tenants: Sequence[str] = ("default",),
    database: Database | None = None,
    **settings: Any,
) -> AsyncIterator[RunningCapture]:
    """A real server with scripted eyes; sessions are quick, gates are few."""
    clock, eyes, bus = clock or SystemClock(), eyes or ScriptedEyes(), bus or FakeBus()
    bus.answering.set()
    ids = IdFactory(clock)
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(
            FolderBlobs(folder / "capture-images", clock=clock, ids=ids, form=form)
        )
        capture = await stack.enter_async_context(
            open_service(
                _quick(folder, settings),
                folder,
                Helpers(eyes, reader, comparer, snapshots),
                blobs,
                bus,
                clock=clock,
                ids=ids,
                random=lambda: 0.5,
                tenants=tenants,
                database=database,
            )
        )

        def services(rpc_server: RpcServer) -> dict[str, Any]:
            register(rpc_server, capture, clock)
            return {}

        running = await stack.enter_async_context(
            running_server(services, clock=clock, ready=False, **(server or {}))
        )
        await running.server.mark_ready(SERVICE_NAME)
        yield RunningCapture(running, capture, eyes, bus)


def _quick(folder: Path, settings: Mapping[str, Any]) -> CaptureSettings:
    gates = folder / "gates.toml"
    gates.write_text(GATES, encoding="utf-8")
    quick = {
        "stable_frames": 3,
        "stable_s": 0.0,
        "countdown_s": 0.0,
        "gates_file": gates,
        "quality_period_s": 0.01,
    }
    return CaptureSettings(**{**quick, **settings})
