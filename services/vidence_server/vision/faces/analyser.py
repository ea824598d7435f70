"""Everything that models say about faces, over one engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from vidence_server.core.deadline import Deadline
from vidence_server.inference.engine import Engine, Priority
from vidence_server.inference.jobs import Array
from vidence_server.vision.faces import profile as names
from vidence_server.vision.faces.contour import contour, contour_input, visible
from vidence_server.vision.faces.detector import OUTPUTS, detected_faces, detector_input
from vidence_server.vision.faces.embedding import embedder_input, template
from vidence_server.vision.faces.eyes import eye_inputs, open_probability
from vidence_server.vision.faces.face import Contour, EyeState, Face, HeadPose, Template
from vidence_server.vision.faces.liveness import live_probability, liveness_input
from vidence_server.vision.faces.pose import head_pose, pose_input
from vidence_server.vision.faces.profile import FaceProfile
from vidence_server.vision.faces.quality.measure import Quality, measure_quality
from vidence_server.vision.image import Pixels

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Urgency:
    """How urgent the steps of a call are."""

    priority: Priority = Priority.INTERACTIVE
    deadline: Deadline | None = field(default=None)


class FaceAnalyser:
    """Looks at faces with the models of one engine. Stateless: any number of calls may run at once.

    Pixels are uint8 BGR (H, W, 3) and must not change during a call. Every method raises the engine's errors
    (QUEUE_FULL, DEADLINE_EXCEEDED, DRAINING, INTERNAL); cancelling it stops the work.

    Args:
        engine: Has a session for each of `FACE_MODELS` that is asked for.
        profile: Sizes and thresholds.
        embedder_version: What templates carry; see `Template.version`.
    """

    def __init__(self, engine: Engine, profile: FaceProfile, embedder_version: str) -> None:
        self._engine = engine
        self._profile = profile
        self.embedder_version = embedder_version

    async def detect(
        self,
        pixels: Pixels,
        *,
        fast: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> tuple[Face, ...]:
        """The faces of a picture, the largest first.

        Args:
            pixels: The picture.
            fast: Look at 320 px, as fits a frame of a camera; else at 640 px, and where nothing is found
                once more at 320 px: a face that fills the picture is too large for the detector.
            priority: Of every step.
            deadline: Of every step.
        """
        urgency = Urgency(priority, deadline)
        found = await self._detect(pixels, self._profile.detector_side(fast=fast), urgency)
        if found or fast:
            return found
        return await self._detect(pixels, self._profile.detector_side(fast=True), urgency)

    async def pose(
        self,
        pixels: Pixels,
        face: Face,
        *,
        outline: Contour | None = None,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> HeadPose:
        """Where the head is turned to; `outline` saves finding the contour again."""
        urgency = Urgency(priority, deadline)
        points = outline or await self.contour(pixels, face, priority=priority, deadline=deadline)
        tensor = await self._call(partial(pose_input, pixels, face), "face-pose-input", urgency)
        return head_pose(await self._run(names.POSE, tensor, urgency), points, self._profile)

    async def contour(
        self,
        pixels: Pixels,
        face: Face,
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> Contour:
        """68 points of the face."""
        urgency = Urgency(priority, deadline)
        box = visible(face.box, pixels)
        tensor = await self._call(partial(contour_input, pixels, box), "face-landmarks-input", urgency)
        return contour((await self._run(names.LANDMARKS, tensor, urgency))[0], box)

    async def eyes(
        self,
        pixels: Pixels,
        face: Face,
        *,
        outline: Contour | None = None,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> EyeState:
        """How open the eyes are; `outline` saves finding the contour again."""
        urgency = Urgency(priority, deadline)
        points = outline or await self.contour(pixels, face, priority=priority, deadline=deadline)
        right, left = await self._call(partial(eye_inputs, pixels, points), "face-eye-input", urgency)
        of_right = await self._run(names.EYE, right, urgency)
        of_left = await self._run(names.EYE, left, urgency)
        return EyeState(open_probability(of_right[0]), open_probability(of_left[0]))

    async def liveness(
        self,
        pixels: Pixels,
        face: Face,
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> float:
        """How live the face looks in this one frame, 0–1; not certified. Take the mean of several frames."""
        urgency = Urgency(priority, deadline)
        tensor = await self._call(partial(liveness_input, pixels, face), "face-liveness-input", urgency)
        return live_probability((await self._run(names.LIVENESS, tensor, urgency))[0])

    async def embed(
        self,
        pixels: Pixels,
        faces: Sequence[Face],
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> tuple[Template, ...]:
        """Templates of faces of one picture, in their order."""
        urgency = Urgency(priority, deadline)
        made: list[Template] = []
        for start in range(0, len(faces), self._profile.embedding_batch):
            part = faces[start : start + self._profile.embedding_batch]
            tensor = await self._call(partial(_aligned, pixels, part), "face-align", urgency)
            (rows,) = await self._run(names.EMBEDDER, tensor, urgency, name="data")
            made += [template(row, names.EMBEDDER, self.embedder_version) for row in rows]
        return tuple(made)

    async def quality(
        self,
        pixels: Pixels,
        face: Face,
        *,
        pose: HeadPose | None = None,
        eyes: EyeState | None = None,
        outline: Contour | None = None,
        others: Sequence[Face] = (),
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> Quality:
        """`measure_quality` in a worker."""
        measure = partial(
            measure_quality, pixels, face, pose=pose, eyes=eyes, contour=outline, others=tuple(others)
        )
        return await self._call(measure, "face-quality", Urgency(priority, deadline))

    async def _detect(self, pixels: Pixels, side_px: int, urgency: Urgency) -> tuple[Face, ...]:
        prepare = partial(detector_input, pixels, side_px, self._profile)
        seen = await self._call(prepare, "face-detector-input", urgency)
        outputs = await self._run(names.DETECTOR, seen.tensor, urgency)
        by_name = dict(zip(OUTPUTS, outputs, strict=True))
        return await self._call(partial(detected_faces, by_name, seen, self._profile), "face-boxes", urgency)

    async def _call(self, function: Callable[[], T], step: str, urgency: Urgency) -> T:
        return await self._engine.call(
            function, step=step, priority=urgency.priority, deadline=urgency.deadline
        )

    async def _run(
        self, model: str, tensor: Array, urgency: Urgency, *, name: str = "input"
    ) -> tuple[Array, ...]:
        return await self._engine.run(
            model, {name: tensor}, priority=urgency.priority, deadline=urgency.deadline
        )


def _aligned(pixels: Pixels, faces: Sequence[Face]) -> Array:
    return np.concatenate([embedder_input(pixels, face.landmarks) for face in faces])
