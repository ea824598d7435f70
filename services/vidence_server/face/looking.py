"""From submitted bytes to the faces that are meant, with refusals that name the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.face.domain.results import EmbeddedFace, FaceChoice, PictureSize, SeenFace
from vidence_server.inference.engine import Engine
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.face import Face
from vidence_server.vision.faces.pose import pose_from_landmarks
from vidence_server.vision.faces.quality.measure import Quality
from vidence_server.vision.image import Pixels

DETAILED_FACES = 20
"""Faces of one picture that are looked at closely where a caller asks for details of all."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A decoded picture and its faces, the largest first."""

    field: str
    """The request's name for the picture."""
    pixels: Pixels
    faces: tuple[Face, ...]

    @property
    def size(self) -> PictureSize:
        """Of the picture."""
        height, width = self.pixels.shape[:2]
        return PictureSize(width, height)


class Looker:
    """Decodes pictures and looks closely at faces."""

    def __init__(self, *, engine: Engine, decoder: ImageDecoder, analyser: FaceAnalyser) -> None:
        self._engine = engine
        self._decoder = decoder
        self._analyser = analyser

    async def scene(self, content: bytes, field: str, deadline: Deadline | None) -> Scene:
        """Decodes a picture and finds its faces.

        Args:
            content: The file.
            field: The request's name for it: goes into the metadata `image` of errors.
            deadline: When the answer is of no use any more.

        Raises:
            DomainError: the IMAGE_… and PDF_… reasons; the engine's.
        """
        try:
            image = await self._engine.call(
                partial(self._decoder.decode, content), step="face-decode", deadline=deadline
            )
        except DomainError as error:
            raise named(error, field) from error
        return Scene(field, image.pixels, await self._analyser.detect(image.pixels, deadline=deadline))

    async def detail(
        self, scene: Scene, face: Face, deadline: Deadline | None, *, pose: bool = True, contour: bool = True
    ) -> SeenFace:
        """A face with the model's pose and its contour, as far as asked for."""
        outline = None
        if pose or contour:
            outline = await self._analyser.contour(scene.pixels, face, deadline=deadline)
        seen = pose_from_landmarks(face.landmarks)
        if pose:
            seen = await self._analyser.pose(scene.pixels, face, outline=outline, deadline=deadline)
        return SeenFace(face, seen, outline if contour else None)

    async def quality(self, scene: Scene, seen: SeenFace, deadline: Deadline | None) -> Quality:
        """How good the picture of a face is, by all that models tell."""
        eyes = await self._analyser.eyes(scene.pixels, seen.face, outline=seen.contour, deadline=deadline)
        return await self._analyser.quality(
            scene.pixels,
            seen.face,
            pose=seen.pose,
            eyes=eyes,
            outline=seen.contour,
            others=[face for face in scene.faces if face is not seen.face],
            deadline=deadline,
        )

    async def embedded(
        self, scene: Scene, faces: Sequence[Face], deadline: Deadline | None
    ) -> tuple[EmbeddedFace, ...]:
        """Templates of faces, each with its details and quality."""
        templates = await self._analyser.embed(scene.pixels, faces, deadline=deadline)
        made = []
        for face, template in zip(faces, templates, strict=True):
            seen = await self.detail(scene, face, deadline)
            made.append(EmbeddedFace(seen, template, await self.quality(scene, seen, deadline)))
        return tuple(made)


def chosen_face(scene: Scene, choice: FaceChoice) -> Face:
    """The face that is meant.

    Raises:
        DomainError: NO_FACE, SEVERAL_FACES.
    """
    if not scene.faces:
        raise DomainError(
            Reason.NO_FACE, "No face was found in the picture.", metadata={"image": scene.field}
        )
    if choice is FaceChoice.ONLY and len(scene.faces) > 1:
        raise DomainError(
            Reason.SEVERAL_FACES,
            f"The picture shows {len(scene.faces)} faces; one is asked for.",
            metadata={"image": scene.field, "limit": "1", "actual": str(len(scene.faces))},
        )
    return scene.faces[0]


def check_size(scene: Scene, face: Face, min_inter_eye_px: float) -> None:
    """Refuses a face that is too small to be recognised.

    Raises:
        DomainError: FACE_TOO_SMALL.
    """
    if face.inter_eye_px < min_inter_eye_px:
        raise DomainError(
            Reason.FACE_TOO_SMALL,
            f"The eyes are {face.inter_eye_px:.1f} px apart; {min_inter_eye_px:g} px are needed.",
            metadata={
                "image": scene.field,
                "limit": f"{min_inter_eye_px:g}",
                "actual": f"{face.inter_eye_px:.1f}",
            },
        )


def named(error: DomainError, field: str) -> DomainError:
    """The same failure with the request's name for the picture in its metadata."""
    return DomainError(
        error.reason,
        error.message,
        fields=error.fields,
        metadata={**error.metadata, "image": field},
        retry_after_s=error.retry_after_s,
    )
