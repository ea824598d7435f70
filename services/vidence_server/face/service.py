"""Finds, measures, compares and embeds faces. Nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.core.deadline import Deadline
from vidence_server.face.domain.results import (
    Assessment,
    Comparison,
    Detection,
    EmbeddedFace,
    Embedding,
    FaceChoice,
    FaceTemplate,
    LivenessCheck,
    MatchVerdict,
    SeenFace,
)
from vidence_server.face.domain.thresholds import MatchRates, ThresholdTable
from vidence_server.face.liveness import LivenessJudge
from vidence_server.face.looking import DETAILED_FACES, Looker, Scene, check_size, chosen_face
from vidence_server.face.settings import FaceSettings
from vidence_server.vision.faces.embedding import similarity
from vidence_server.vision.faces.face import Face
from vidence_server.vision.faces.pose import pose_from_landmarks


class FaceService:
    """Looks at single pictures; calls share nothing but the engine.

    Args:
        looker: Decodes and looks.
        judge: Tells live faces from pictures of faces.
        thresholds: What was measured of the embedding model.
        settings: Thresholds and limits.
        embedder: Registry name and version of the embedding model in use.
        liveness_version: Version of the liveness model in use.
    """

    def __init__(
        self,
        *,
        looker: Looker,
        judge: LivenessJudge,
        thresholds: ThresholdTable,
        settings: FaceSettings,
        embedder: tuple[str, str],
        liveness_version: str,
    ) -> None:
        self._looker = looker
        self._judge = judge
        self._settings = settings
        self.embedder = embedder
        self.liveness_version = liveness_version
        self.thresholds = thresholds
        self._rated = thresholds.describes(*embedder)

    @property
    def match_threshold(self) -> float:
        """Similarity of a match unless a caller asks otherwise."""
        asked = self._settings.match_threshold
        return self.thresholds.default if asked is None else asked

    @property
    def known_rates(self) -> tuple[MatchRates, ...]:
        """What was measured of the model in use; empty for the operator's own weights."""
        return self.thresholds.rates if self._rated else ()

    async def detect(
        self,
        content: bytes,
        *,
        with_pose: bool = False,
        with_contour: bool = False,
        deadline: Deadline | None = None,
    ) -> Detection:
        """The faces of a picture; none is no error.

        Raises:
            DomainError: the IMAGE_… and PDF_… reasons; the engine's.
        """
        scene = await self._looker.scene(content, "content", deadline)
        seen = []
        for index, face in enumerate(scene.faces):
            if index < DETAILED_FACES:
                seen.append(
                    await self._looker.detail(scene, face, deadline, pose=with_pose, contour=with_contour)
                )
            else:
                seen.append(SeenFace(face, pose_from_landmarks(face.landmarks)))
        return Detection(scene.size, tuple(seen))

    async def assess(self, content: bytes, *, deadline: Deadline | None = None) -> Assessment:
        """The quality of the largest face.

        Raises:
            DomainError: as `detect`, and NO_FACE.
        """
        scene = await self._looker.scene(content, "content", deadline)
        seen = await self._looker.detail(scene, chosen_face(scene, FaceChoice.LARGEST), deadline)
        quality = await self._looker.quality(scene, seen, deadline)
        return Assessment(scene.size, seen, quality, len(scene.faces))

    async def compare(
        self,
        reference: bytes,
        probe: bytes,
        *,
        reference_choice: FaceChoice = FaceChoice.ONLY,
        probe_choice: FaceChoice = FaceChoice.ONLY,
        threshold: float | None = None,
        deadline: Deadline | None = None,
    ) -> Comparison:
        """Whether two pictures show the same person.

        Raises:
            DomainError: as `detect`, and NO_FACE, SEVERAL_FACES, FACE_TOO_SMALL.
        """
        one = await self._one(reference, "reference", reference_choice, deadline)
        other = await self._one(probe, "probe", probe_choice, deadline)
        found = similarity(one.template, other.template)
        limit = self.match_threshold if threshold is None else threshold
        return Comparison(
            similarity=found,
            threshold=limit,
            verdict=MatchVerdict.MATCH if found >= limit else MatchVerdict.NO_MATCH,
            rates=self.thresholds.at(limit) if self._rated else None,
            reference=one,
            probe=other,
        )

    async def check_liveness(
        self,
        frames: Sequence[bytes],
        *,
        threshold: float | None = None,
        min_frames: int | None = None,
        deadline: Deadline | None = None,
    ) -> LivenessCheck:
        """Whether frames show a live face; not certified presentation-attack detection.

        Raises:
            DomainError: as `detect`, and NO_FACE, where no frame could be judged.
        """
        return await self._judge.judge(
            frames,
            threshold=self._settings.liveness_threshold if threshold is None else threshold,
            min_frames=self._settings.liveness_min_frames if min_frames is None else min_frames,
            deadline=deadline,
        )

    async def embed(
        self, content: bytes, *, choice: FaceChoice | None = None, deadline: Deadline | None = None
    ) -> Embedding:
        """Templates of the face that is meant, or of all that are large enough.

        Raises:
            DomainError: as `detect`; with a choice also NO_FACE, SEVERAL_FACES, FACE_TOO_SMALL.
        """
        scene = await self._looker.scene(content, "content", deadline)
        if choice is not None:
            faces = [self._large_enough(scene, chosen_face(scene, choice))]
        else:
            least = self._settings.min_inter_eye_px
            faces = [face for face in scene.faces if face.inter_eye_px >= least]
        return Embedding(scene.size, await self._looker.embedded(scene, faces, deadline))

    async def embed_one(self, content: bytes, *, deadline: Deadline | None = None) -> FaceTemplate:
        """The template of the one face of a picture, for those who enrol it.

        Raises:
            DomainError: as `embed` with `FaceChoice.ONLY`.
        """
        embedded = await self._one(content, "content", FaceChoice.ONLY, deadline)
        return FaceTemplate(
            vector=tuple(map(float, embedded.template.vector)),
            model=embedded.template.model,
            version=embedded.template.version,
            quality=embedded.quality.unified,
            box=embedded.face.face.box,
        )

    async def _one(
        self, content: bytes, field: str, choice: FaceChoice, deadline: Deadline | None
    ) -> EmbeddedFace:
        scene = await self._looker.scene(content, field, deadline)
        face = self._large_enough(scene, chosen_face(scene, choice))
        (embedded,) = await self._looker.embedded(scene, [face], deadline)
        return embedded

    def _large_enough(self, scene: Scene, face: Face) -> Face:
        check_size(scene, face, self._settings.min_inter_eye_px)
        return face
