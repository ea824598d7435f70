"""Eyes made of models: looks at frames by one engine, with the urgency of somebody who stands there."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from vidence_server.capture.domain.measurement import Measure, Measurement, Pose
from vidence_server.capture.domain.states import Target
from vidence_server.capture.ports import (
    Comparison,
    Developed,
    DevelopedImage,
    EncodedPicture,
    Picture,
    Wanted,
)
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, Priority
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.documents.formats import corner_array
from vidence_server.vision.documents.presence import FoundDocument, find_documents
from vidence_server.vision.documents.quality import measure_document
from vidence_server.vision.documents.straighten import straighten
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.embedding import similarity
from vidence_server.vision.faces.face import Box, Template
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.image import Pixels

_LIVE = Priority.LIVE
_MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
_JPEG_QUALITY = 92
_FACE_CROP = 1.8
"""Side of a face's crop over that of its box."""
_BESIDE = 0.25
"""A second face counts when its box has so much of the area of the first: passers-by are smaller."""
_DOCUMENT_MARGIN = 0.02


class CameraEyes:
    """Looks at frames; fits `ports.Eyes`. Stateless: any number of calls at once."""

    def __init__(
        self, engine: Engine, decoder: ImageDecoder, faces: FaceAnalyser, models: tuple[str, ...]
    ) -> None:
        """Eyes.

        Args:
            engine: Runs everything.
            decoder: With the limits of frames.
            faces: Looks at faces.
            models: What results say took part, as `name@sha256`.
        """
        self.models = models
        self._engine = engine
        self._decoder = decoder
        self._faces = faces

    async def measure(self, picture: Picture, target: Target, wanted: Wanted) -> Measurement:
        """What is seen in a frame; see `ports.Eyes`."""
        pixels = await self._pixels(picture)
        if target is Target.FACE:
            return await self._face(pixels, wanted)
        return await self._engine.call(partial(_document, pixels), step="document", priority=_LIVE)

    async def develop(self, picture: Picture, target: Target, seen: Measurement) -> Developed:
        """The files that are kept of a frame; see `ports.Eyes`."""
        pixels = await self._pixels(picture)
        return await self._engine.call(
            partial(_develop, picture, pixels, target, seen), step="develop", priority=_LIVE
        )

    async def _pixels(self, picture: Picture) -> Pixels:
        if isinstance(picture, EncodedPicture):
            decode = partial(_decoded, self._decoder, picture.content)
            return await self._engine.call(decode, step="decode", priority=_LIVE)
        rows = np.frombuffer(picture.bgr, np.uint8)
        return rows.reshape(picture.height_px, picture.width_px, 3)

    async def _face(self, pixels: Pixels, wanted: Wanted) -> Measurement:
        height, width = pixels.shape[:2]
        found = await self._faces.detect(pixels, fast=True, priority=_LIVE)
        faces = [face for face in found if face.box.area >= _BESIDE * found[0].box.area]
        if not faces:
            return Measurement(width, height, 0)
        face = faces[0]
        pose = outline = eyes = liveness = None
        if wanted.movement:
            pose = await self._faces.pose(pixels, face, priority=_LIVE)
            outline = await self._faces.contour(pixels, face, priority=_LIVE)
            eyes = await self._faces.eyes(pixels, face, outline=outline, priority=_LIVE)
        if wanted.liveness:
            liveness = await self._faces.liveness(pixels, face, priority=_LIVE)
        quality = await self._faces.quality(
            pixels, face, pose=pose, eyes=eyes, outline=outline, others=faces[1:], priority=_LIVE
        )
        return Measurement(
            width_px=width,
            height_px=height,
            subjects=len(faces),
            quad=_quad(face.box),
            anchors=face.landmarks.points,
            measures=tuple(
                Measure(str(one.measure), one.value, one.unit, one.score) for one in quality.measures
            ),
            liveness=liveness,
            pose=None if pose is None else Pose(pose.yaw_deg, pose.pitch_deg),
            eyes_open=None if eyes is None else eyes.open,
        )


class FacePairs:
    """Compares the largest faces of two pictures; fits `ports.FaceComparer`."""

    def __init__(
        self, engine: Engine, decoder: ImageDecoder, faces: FaceAnalyser, *, threshold: float, model: str
    ) -> None:
        """A comparer.

        Args:
            engine: Runs everything.
            decoder: With the limits of pictures.
            faces: Finds and embeds faces.
            threshold: Least similarity that counts as the same person.
            model: The embedder, as `name@sha256`.
        """
        self._engine = engine
        self._decoder = decoder
        self._faces = faces
        self._threshold = threshold
        self._model = model

    async def compare(self, portrait: bytes, selfie: bytes) -> Comparison | None:
        """How alike they are; None where a picture shows no face. See `ports.FaceComparer`."""
        templates: list[Template] = []
        for content in (portrait, selfie):
            image = await self._engine.call(
                partial(self._decoder.decode, content), step="decode", priority=_LIVE
            )
            found = await self._faces.detect(image.pixels, priority=_LIVE)
            if not found:
                return None
            templates += await self._faces.embed(image.pixels, found[:1], priority=_LIVE)
        return Comparison(similarity(templates[0], templates[1]), self._threshold, (self._model,))


def _decoded(decoder: ImageDecoder, content: bytes) -> Pixels:
    image = decoder.decode(content)
    if image.media_type not in _MEDIA_TYPES:
        raise DomainError(
            Reason.FRAME_INVALID,
            "A frame is a JPEG, PNG or WebP picture.",
            metadata={"media_type": image.media_type},
        )
    return image.pixels


def _document(pixels: Pixels) -> Measurement:
    height, width = pixels.shape[:2]
    found: tuple[FoundDocument, ...] = find_documents(pixels)
    if not found:
        return Measurement(width, height, 0)
    quad = found[0].quad
    return Measurement(
        width_px=width,
        height_px=height,
        subjects=len(found),
        quad=quad,
        anchors=quad.corners,
        measures=tuple(
            Measure(str(one.name), one.value, one.unit, one.score) for one in measure_document(pixels, quad)
        ),
    )


def _develop(picture: Picture, pixels: Pixels, target: Target, seen: Measurement) -> Developed:
    """The frame as it came where it is a file, else as JPEG; and what it is about, cut out."""
    if isinstance(picture, EncodedPicture):
        height, width = pixels.shape[:2]
        image = DevelopedImage(picture.content, _media_type(picture.content), width, height)
    else:
        image = _jpeg(pixels)
    if seen.quad is None:
        return Developed(image, None)
    if target is Target.FACE:
        return Developed(image, _face_crop(pixels, seen.quad))
    return Developed(image, _jpeg(straighten(pixels, seen.quad, margin=_DOCUMENT_MARGIN)))


def _face_crop(pixels: Pixels, quad: Quad) -> DevelopedImage | None:
    """A square around the face, as far as the picture reaches."""
    height, width = pixels.shape[:2]
    corners = corner_array(quad)
    side = _FACE_CROP * max(quad.width, quad.height) / 2
    x, y = (float(value) for value in corners.mean(axis=0))
    left, right = max(0, round(x - side)), min(width, round(x + side))
    top, bottom = max(0, round(y - side)), min(height, round(y + side))
    if right - left < 8 or bottom - top < 8:
        return None
    return _jpeg(np.ascontiguousarray(pixels[top:bottom, left:right]))


def _jpeg(pixels: Pixels) -> DevelopedImage:
    fine, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not fine:
        raise DomainError(Reason.INTERNAL, "The picture could not be encoded.")
    height, width = pixels.shape[:2]
    return DevelopedImage(encoded.tobytes(), "image/jpeg", width, height)


def _media_type(content: bytes) -> str:
    if content.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if content.startswith(b"RIFF") else "image/jpeg"


def _quad(box: Box) -> Quad:
    return Quad(
        Point(box.left, box.top),
        Point(box.right, box.top),
        Point(box.right, box.bottom),
        Point(box.left, box.bottom),
    )
