"""Capture without models: frames that say what is seen in them, and a service behind a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc

from eventually import PATIENCE_S
from fakes.runtime import RunningServer, error_info, running_server, status_of
from fakes.storage import FakeBus
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import capture_service_pb2_grpc as pb_grpc
from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence.extraction.v1 import document_pb2, extraction_service_pb2
from vidence_server.capture.app import Capture, Helpers, open_service, register
from vidence_server.capture.domain.measurement import Measure, Measurement, Pose
from vidence_server.capture.domain.states import Target
from vidence_server.capture.domain.verification import FieldFact
from vidence_server.capture.ports import (
    Comparison,
    Developed,
    DevelopedImage,
    EncodedPicture,
    Picture,
    ReadPart,
    Snapshots,
    Wanted,
)
from vidence_server.capture.servicer import SERVICE_NAME
from vidence_server.capture.settings import CaptureSettings
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.vision.geometry import Point, Quad

SHARP = ("sharpness", 60.0, "1", 90)
MARK = b"\xff\xd8\xff"
"""How a JPEG begins."""


def scripted(
    number: int,
    *,
    subjects: int = 1,
    at: float = 200.0,
    liveness: float | None = None,
    yaw: float = 0.0,
    pitch: float = 0.0,
    eyes: float = 1.0,
    **measures: float,
) -> bytes:
    """A frame that says what is seen in it: `measures` by name, the value being the score too."""
    said = {
        "number": number,
        "subjects": subjects,
        "at": at,
        "liveness": liveness,
        "yaw": yaw,
        "pitch": pitch,
        "eyes": eyes,
        "measures": measures,
    }
    return MARK + json.dumps(said).encode()


def seen(content: bytes, wanted: Wanted) -> Measurement:
    """What such a frame says."""
    said = json.loads(content.removeprefix(MARK))
    at, subjects = said["at"], said["subjects"]
    corners = [Point(at, at), Point(at + 100, at), Point(at + 100, at + 60), Point(at, at + 60)]
    measures = {"sharpness": 90.0, **said["measures"]}
    return Measurement(
        width_px=640,
        height_px=480,
        subjects=subjects,
        quad=Quad(*corners) if subjects else None,
        anchors=tuple(corners) if subjects else (),
        measures=tuple(
            Measure(name, value, "1", max(0, min(100, round(value)))) for name, value in measures.items()
        )
        if subjects
        else (),
        liveness=said["liveness"] if wanted.liveness else None,
        pose=Pose(said["yaw"], said["pitch"]),
        eyes_open=said["eyes"],
    )


@dataclass
class ScriptedEyes:
    """Sees what frames say. Knobs: hold the gate, refuse to develop."""

    models: tuple[str, ...] = ("eyes@0123456789ab",)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    looking: int = 0
    """Frames that are being looked at."""
    looked: list[int] = field(default_factory=list)
    broken: int = 0
    """So many pictures cannot be developed."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def measure(self, picture: Picture, target: Target, wanted: Wanted) -> Measurement:
        assert isinstance(picture, EncodedPicture)
        if not picture.content.startswith(MARK + b"{"):
            raise DomainError(Reason.IMAGE_UNSUPPORTED, "No image.")
        self.looking += 1
        try:
            await self.gate.wait()
        finally:
            self.looking -= 1
        self.looked.append(json.loads(picture.content.removeprefix(MARK))["number"])
        return seen(picture.content, wanted)

    async def develop(self, picture: Picture, target: Target, seen: Measurement) -> Developed:
        assert isinstance(picture, EncodedPicture)
        if self.broken:
            self.broken -= 1
            raise DomainError(Reason.STORAGE_FULL, "The disk has no room.")
        whole = DevelopedImage(picture.content, "image/jpeg", seen.width_px, seen.height_px)
        return Developed(whole, DevelopedImage(picture.content + b" ", "image/jpeg", 100, 60))


@dataclass
class ScriptedReader:
    """Reads one number from every document; `error` is raised instead where it is set."""

    fields: tuple[FieldFact, ...] = (
        FieldFact("document.number", "L898902C3", "MRZ", valid=True),
        FieldFact("document.expiry_date", "2099-04-15", "MRZ", valid=True),
    )
    error: DomainError | None = None
    contents: list[bytes] = field(default_factory=list)

    async def read(self, content: bytes, *, document_type: str) -> AsyncGenerator[ReadPart, None]:
        self.contents.append(content)
        for kind, message in _reading(self.fields):
            if kind == "extraction_field" and self.error is not None:
                raise self.error
            values = self.fields if kind == "extraction_complete" else None
            yield ReadPart(kind, message.SerializeToString(), values)


def _reading(fields: Sequence[FieldFact]) -> list[tuple[str, Any]]:
    read = [
        document_pb2.ExtractedField(
            key=one.key,
            revision=1,
            value=one.value,
            confidence=0.9,
            source=document_pb2.FieldSource.Value(f"FIELD_SOURCE_{one.source}"),
            validation=document_pb2.FieldValidation(verdict=document_pb2.VALIDATION_VERDICT_VALID),
        )
        for one in fields
    ]
    start = extraction_service_pb2.ExtractionStart(extraction_id="ext_1")
    start.image_size.width_px = start.image_size.height_px = 10
    complete = extraction_service_pb2.ExtractionComplete(
        document=document_pb2.Document(document_type="passport", type_confidence=1, fields=read)
    )
    complete.latency.total_duration.FromTimedelta(timedelta(seconds=1))
    detected = extraction_service_pb2.DocumentTypeDetected(document_type="passport", confidence=0.9)
    progress = extraction_service_pb2.ExtractionProgress(done=1, total=1, fraction=1)
    return [
        ("extraction_start", start),
        ("document_type_detected", detected),
        *[("extraction_field", extraction_service_pb2.ExtractionField(field=one)) for one in read],
        ("extraction_progress", progress),
        ("extraction_complete", complete),
    ]


@dataclass
class ScriptedComparer:
    """Finds all faces as alike as it is told; None: there is no face."""

    similarity: float | None = 0.8

    async def compare(self, portrait: bytes, selfie: bytes) -> Comparison | None:
        if self.similarity is None:
            return None
        return Comparison(self.similarity, 0.4, ("embedder@abc",))


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

    async def push_until(self, state: str, *, limit: int = 200, **said: Any) -> int:
        """Pushes frames until the session is in a state; how many."""
        wanted = session_pb2.SessionState.Value(f"SESSION_STATE_{state}")
        for count in range(1, limit + 1):
            try:
                state_now = (await self.push(**said)).state
            except grpc.aio.AioRpcError as error:
                if error_info(status_of(error)).reason != "SESSION_ENDED":
                    raise
                state_now = (await self.get()).state
            if state_now == wanted:
                return count
        raise AssertionError(f"the session never was {state}")

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
    **settings: Any,
) -> AsyncIterator[RunningCapture]:
    """A real server with scripted eyes; sessions are quick, gates are few."""
    gates = folder / "gates.toml"
    gates.write_text(GATES, encoding="utf-8")
    quick = {
        "stable_frames": 3,
        "stable_s": 0.0,
        "countdown_s": 0.0,
        "gates_file": gates,
        "quality_period_s": 0.01,
    }
    clock, eyes, bus = clock or SystemClock(), eyes or ScriptedEyes(), bus or FakeBus()
    bus.answering.set()
    ids = IdFactory(clock)
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(
            FolderBlobs(folder / "capture-images", clock=clock, ids=ids, form=form)
        )
        capture = await stack.enter_async_context(
            open_service(
                CaptureSettings(**(quick | settings)),
                folder,
                Helpers(eyes, reader, comparer, snapshots),
                blobs,
                bus,
                clock=clock,
                ids=ids,
                random=lambda: 0.5,
                tenants=tenants,
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
