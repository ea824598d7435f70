"""The reasons of the domain and of the wire are the same, and each has a documented sample that is true."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from fakes.bad_files import CASES, LIMITS
from fakes.inference import MODEL, FakeSession, Gate, model_spec, one_busy_worker, queued, started, x
from vidence.error.v1 import reason_pb2
from vidence.extraction.v1 import extraction_service_pb2 as extraction
from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import KIND_OF_REASON, DomainError, Reason
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
from vidence_server.runtime.status import to_status
from vidence_server.runtime.stream_source import SourceRun
from vidence_server.streams.cursor import Cursor
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.faces.embedding import similarity, template
from vidence_server.vision.faces.face import Box, Face, Landmarks
from vidence_server.vision.geometry import Point

PROTO = Path(__file__).resolve().parents[2] / "protos/vidence/error/v1/reason.proto"
ENTRY = re.compile(r"// `([A-Z_]+)`\..*?// Sample: `(\{.*?\})`\n  REASON_([A-Z_]+) = \d+;", re.DOTALL)

NOT_RAISED_HERE = {
    Reason.CURSOR_FOREIGN: "the event service",
    Reason.CURSOR_EXPIRED: "the event service",
    Reason.SUBSCRIBER_TOO_SLOW: "the event service",
    Reason.EVENT_TOO_LARGE: "the event service",
    Reason.EVENT_NOT_FOUND: "the event service",
    Reason.EVENT_CORRUPT: "the event service",
    Reason.SEQUENCE_MISMATCH: "the event service",
    Reason.PAGE_TOKEN_INVALID: "the event service",
    Reason.DATABASE_IN_USE: "the durable log",
    Reason.DATABASE_INCOMPATIBLE: "the durable log",
    Reason.STORAGE_FULL: "the durable log",
    Reason.STORAGE_FAILED: "the durable log",
    Reason.BLOB_NOT_FOUND: "the store of images",
    Reason.BATCH_NOT_FOUND: "the batch service",
    Reason.BATCH_TOO_MANY_IMAGES: "the batch service",
    Reason.BATCH_TOO_LARGE: "the batch service",
    Reason.BATCH_WRONG_STATE: "the batch service",
    Reason.BATCH_ITEM_CONFLICT: "the batch service",
    Reason.BATCH_EMPTY: "the batch service",
    Reason.BATCH_ITEM_NOT_FOUND: "the batch service",
    Reason.JOB_NOT_FOUND: "the batch service",
    Reason.LEASE_LOST: "the batch service",
    Reason.WORKER_NOT_FOUND: "the batch service",
    Reason.WORKER_LOST: "the batch service",
    Reason.SERVER_LOST: "the extraction service",
    Reason.IDEMPOTENCY_CONFLICT: "the batch service",
    Reason.SESSION_NOT_FOUND: "the capture service",
    Reason.SESSION_TOKEN_INVALID: "the capture service",
    Reason.SESSION_ENDED: "the capture service",
    Reason.SESSION_LIMIT: "the capture service",
    Reason.FRAME_OUT_OF_ORDER: "the capture service",
    Reason.FRAME_REPEATED: "the capture service",
    Reason.FRAME_INVALID: "the capture service",
    Reason.PUSHER_REPLACED: "the capture service",
    Reason.IMAGE_NOT_FOUND: "the capture service",
    Reason.TRANSITION_REFUSED: "the capture service",
    Reason.LANGUAGE_UNKNOWN: "the capture service",
    Reason.LIBRARY_NOT_FOUND: "the library service",
    Reason.LIBRARY_EXISTS: "the library service",
    Reason.DOCUMENT_NOT_FOUND: "the library service",
    Reason.DOCUMENT_EXISTS: "the library service",
    Reason.DOCUMENT_INVALID: "the library service",
    Reason.REVISION_MISMATCH: "the library service",
    Reason.EMBEDDING_MODEL_MISMATCH: "the library service",
    Reason.EMBEDDING_UNAVAILABLE: "the library service",
    Reason.EXPORT_TOKEN_INVALID: "the library service",
    Reason.EXPORT_EXPIRED: "the library service",
    Reason.IMPORT_CHECKSUM_MISMATCH: "the library service",
    Reason.IMPORT_INCOMPLETE: "the library service",
    Reason.QUERY_NOT_FOUND: "the library service",
    Reason.QUERY_LIMIT: "the library service",
    Reason.REEMBEDDING_RUNNING: "the library service",
    Reason.SUBJECT_NOT_FOUND: "the library service",
    Reason.FACE_EXISTS: "the library service",
    Reason.PATH_UNKNOWN: "the bridge",
    Reason.ORIGIN_REFUSED: "the bridge",
    Reason.BODY_TOO_LARGE: "the bridge",
    Reason.RATE_LIMITED: "Envoy, and the guard of the server",
    Reason.CREDENTIAL_MISSING: "the guard of the server",
    Reason.CREDENTIAL_INVALID: "the guard of the server",
    Reason.CREDENTIAL_EXPIRED: "the guard of the server",
    Reason.SCOPE_MISSING: "the guard of the server",
    Reason.TENANT_UNKNOWN: "the guard of the server",
    Reason.CALL_LIMIT: "the guard of the server",
    Reason.REVIEW_CHANGED: "the review service",
    Reason.REVIEW_CLAIMED: "the review service",
    Reason.REVIEW_NOT_FOUND: "the review service",
    Reason.REVIEW_FULL: "the review service",
    Reason.PURGE_NOT_FOUND: "the erasure service",
    Reason.KEY_UNAVAILABLE: "encryption at rest",
    Reason.KEY_UNKNOWN: "encryption at rest",
    Reason.CIPHERTEXT_INVALID: "encryption at rest",
}
"""Reasons whose samples no error is compared with yet, and who raises them."""

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


def samples() -> dict[str, tuple[str, dict[str, Any]]]:
    """Status and sample by reason, as documented."""
    return {name: (status, json.loads(sample)) for status, sample, name in ENTRY.findall(PROTO.read_text())}


def domain_errors(error: BaseException) -> Iterator[DomainError]:
    """The error itself, or those in a group of them."""
    if isinstance(error, DomainError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from domain_errors(inner)


async def error_info(reason: Reason, folder: Path) -> ErrorInfo:
    """What a client would be told after meeting the reason for real."""
    try:
        await RAISERS[reason](folder)
    except (DomainError, ExceptionGroup) as error:
        (found,) = domain_errors(error)
    else:
        raise AssertionError(f"nothing raised {reason}")
    status = to_status(found, request_id="0199c1f0")
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info


def test_wire_and_domain_have_the_same_reasons() -> None:
    names = (value.name for value in reason_pb2.Reason.DESCRIPTOR.values if value.number)
    wire = {name.removeprefix("REASON_") for name in names}
    assert wire == {str(reason) for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_status_and_a_sample(reason: Reason) -> None:
    status, sample = samples()[str(reason)]
    assert status == KIND_OF_REASON[reason].name
    assert status in grpc.StatusCode.__members__
    assert (sample["reason"], sample["domain"]) == (str(reason), "vidence")


def test_each_sample_is_compared_with_a_real_error_or_listed_as_not_compared() -> None:
    assert RAISERS.keys() | NOT_RAISED_HERE.keys() == set(Reason)
    assert not RAISERS.keys() & NOT_RAISED_HERE.keys()


@pytest.mark.parametrize("reason", RAISERS)
async def test_the_sample_has_the_metadata_of_a_real_error(reason: Reason, tmp_path: Path) -> None:
    info = await error_info(reason, tmp_path)
    _, sample = samples()[str(reason)]
    assert (info.reason, info.domain) == (sample["reason"], sample["domain"])
    assert set(info.metadata) == set(sample["metadata"])
