"""Capture without models: frames that say what is seen in them, and who looks at them and reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from vidence.extraction.v1 import document_pb2, extraction_service_pb2
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
    Wanted,
)
from vidence_server.core.errors import DomainError, Reason
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
