"""How to meet reasons for real: by reason, what raises it, as far as no service of its own is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fakes.bad_files import CASES, LIMITS
from fakes.inference import MODEL, FakeSession, Gate, model_spec, one_busy_worker, queued, started, x
from vidence.extraction.v1 import extraction_service_pb2 as extraction
from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import Reason
from vidence_server.extraction.catalogues import CardCatalogues
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.extraction.profile_readers import ProfileReader, ProfileReaders
from vidence_server.extraction.types.registry import document_type
from vidence_server.face.domain.results import FaceChoice
from vidence_server.face.looking import Scene, check_size, chosen_face
from vidence_server.inference.engine import EngineSettings
from vidence_server.inference.registry import LocalFile, ModelRegistry
from vidence_server.inference.store import ModelStore
from vidence_server.runtime.hand_over import HandOver
from vidence_server.runtime.interceptors.admission import Admission
from vidence_server.runtime.interceptors.validation import ValidationInterceptor
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.rpc import Method
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.stream_source import SourceRun
from vidence_server.streams.cursor import Cursor
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.faces.embedding import similarity, template
from vidence_server.vision.faces.face import Box, Face, Landmarks
from vidence_server.vision.geometry import Point

Raiser = Callable[[Path], Awaitable[object]]
RAISERS: dict[Reason, Raiser] = {}


def raises(reason: Reason) -> Callable[[Raiser], Raiser]:
    """Registers how to meet a reason for real; the argument is an empty folder."""

    def register(raiser: Raiser) -> Raiser:
        RAISERS[reason] = raiser
        return raiser

    return register


def bad_file(name: str) -> Raiser:
    case = next(case for case in CASES if case.name == name)

    async def decode(_: Path) -> object:
        return ImageDecoder(LIMITS).decode(case.make(), pdf_page=case.page)

    return decode


for file_reason, file_name in (
    (Reason.IMAGE_EMPTY, "no bytes"),
    (Reason.IMAGE_UNSUPPORTED, "random bytes"),
    (Reason.IMAGE_CORRUPT, "JPEG: half"),
    (Reason.IMAGE_TOO_LARGE, "over the byte limit"),
    (Reason.IMAGE_TOO_MANY_PIXELS, "PNG: a bomb"),
    (Reason.IMAGE_TOO_SMALL, "PNG: one pixel"),
    (Reason.IMAGE_ANIMATED, "GIF: animated"),
    (Reason.PDF_CORRUPT, "PDF: half"),
    (Reason.PDF_ENCRYPTED, "PDF: encrypted"),
    (Reason.PDF_PAGE_OUT_OF_RANGE, "PDF: page 99 of 2"),
):
    RAISERS[file_reason] = bad_file(file_name)


@raises(Reason.REQUEST_INVALID)
async def _a_broken_rule(_: Path) -> None:
    ValidationInterceptor().check_request(extraction.ExtractDocumentRequest(document_type="x" * 10_000))


@raises(Reason.DOCUMENT_TYPE_UNKNOWN)
async def _an_unknown_type(_: Path) -> None:
    document_type("shopping_list")


@raises(Reason.CATALOGUE_UNKNOWN)
async def _an_unknown_catalogue(_: Path) -> None:
    CardCatalogues({}).check("shopping_list")


@raises(Reason.PROFILE_UNKNOWN)
async def _an_unknown_profile(_: Path) -> None:
    offered = ProfileReader(None, Maker("1", {}, {}))  # type: ignore[arg-type]  # nobody reads with it
    ProfileReaders({"fast": offered}, "fast").get("shopping_list")


def a_scene(field: str, faces: int) -> Scene:
    """A picture with so many faces, their eyes 7.4 px apart."""
    eyes = (Point(10, 10), Point(17.4, 10))
    face = Face(Box(4, 4, 20, 24), Landmarks(*eyes, Point(13, 14), Point(11, 18), Point(16, 18)), 0.9)
    return Scene(field, np.zeros((40, 40, 3), np.uint8), (face,) * faces)


@raises(Reason.NO_FACE)
async def _a_picture_without_a_face(_: Path) -> None:
    chosen_face(a_scene("probe", 0), FaceChoice.LARGEST)


@raises(Reason.SEVERAL_FACES)
async def _a_picture_with_several_faces(_: Path) -> None:
    chosen_face(a_scene("probe", 3), FaceChoice.ONLY)


@raises(Reason.FACE_TOO_SMALL)
async def _a_face_too_small(_: Path) -> None:
    scene = a_scene("reference", 1)
    check_size(scene, scene.faces[0], 12)


@raises(Reason.TEMPLATE_FOREIGN)
async def _templates_of_two_models(_: Path) -> None:
    one, other = (
        template(np.ones(2, np.float32), "face-embedder", version)
        for version in ("fb143eea0783", "0ba9fbfa01b5")
    )
    similarity(one, other)


@raises(Reason.MODEL_UNKNOWN)
async def _an_unknown_model(_: Path) -> None:
    ModelRegistry({})["nobody"]


@raises(Reason.MODEL_MISSING)
async def _a_missing_model(folder: Path) -> None:
    ModelStore(folder).path(model_spec(source=LocalFile(folder / "none.onnx")))


@raises(Reason.MODEL_CORRUPT)
async def _a_model_with_another_hash(folder: Path) -> None:
    (folder / "other.onnx").write_bytes(b"other")
    ModelStore(folder).path(model_spec(source=LocalFile(folder / "other.onnx")))


@raises(Reason.QUEUE_FULL)
async def _one_job_too_many(_: Path) -> None:
    async with one_busy_worker(FakeSession(), queue_limit=1) as (engine, _gate), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(engine.run(MODEL, x(1)))
        await queued(engine, 1)
        try:
            await engine.run(MODEL, x(2))
        finally:
            waiting.cancel()


@raises(Reason.DEADLINE_EXCEEDED)
async def _a_deadline_that_passed(_: Path) -> None:
    clock = SystemClock()
    session = FakeSession(gate=Gate(shut=True))
    async with started(session) as engine:
        await engine.run(MODEL, x(1), deadline=Deadline.after(0.0, clock))


@raises(Reason.INTERNAL)
async def _a_model_that_fails(_: Path) -> None:
    async with started(FakeSession(error=RuntimeError("a defect"))) as engine:
        await engine.run(MODEL, x(1))


@raises(Reason.CONFIGURATION_INVALID)
async def _a_setting_that_is_wrong(_: Path) -> None:
    EngineSettings(workers=0)


@raises(Reason.CURSOR_INVALID)
async def _a_text_that_is_no_cursor(_: Path) -> None:
    Cursor.parse("yesterday")


@raises(Reason.CANCELLED)
async def _work_that_was_cancelled(_: Path) -> None:
    async def source() -> AsyncIterator[int]:
        yield 0
        raise asyncio.CancelledError

    box: HandOver[int] = HandOver(capacity=1, period_s=30, clock=SystemClock())
    run = SourceRun(source(), box, lambda _: False, name="source")
    try:
        while True:
            await box.take()
    finally:
        await run.stop()


@dataclass(frozen=True)
class Door:
    """The door of a server with one service, and one streaming method behind it that never ends."""

    admission: Admission
    call: Callable[[], Awaitable[object]]
    entered: asyncio.Event

    @classmethod
    def of(cls, **settings: Any) -> Door:
        admission = Admission(ServerSettings(**settings), Metrics(version="0").streams)
        entered = asyncio.Event()

        async def behaviour(_request: object, _context: object) -> None:
            entered.set()
            await asyncio.Event().wait()

        admission.add("s.S")
        method = Method("s.S", "Watch", request_streaming=False, response_streaming=True)
        wrapped = admission.wrap(method, behaviour)
        context: Any = None
        return cls(admission, lambda: wrapped(None, context), entered)


@raises(Reason.NOT_READY)
async def _a_service_that_is_not_ready(_: Path) -> None:
    await Door.of().call()


@raises(Reason.DRAINING)
async def _a_server_that_drains(_: Path) -> None:
    door = Door.of()
    door.admission.mark_ready("s.S")
    door.admission.drain()
    await door.call()


@raises(Reason.STREAM_LIMIT)
async def _one_stream_too_many(_: Path) -> None:
    door = Door.of(max_streams=1)
    door.admission.mark_ready("s.S")
    first = asyncio.ensure_future(door.call())
    try:
        await door.entered.wait()
        await door.call()
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
