"""Several frames of a camera judged together."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, ErrorKind, Reason
from vidence_server.face.domain.results import FaceChoice, FrameLiveness, LivenessCheck, LivenessVerdict
from vidence_server.face.looking import Looker, chosen_face
from vidence_server.vision.faces.analyser import FaceAnalyser


class LivenessJudge:
    """Scores frames one after the other, so that thirty do not crowd out other callers."""

    def __init__(self, *, looker: Looker, analyser: FaceAnalyser) -> None:
        self._looker = looker
        self._analyser = analyser

    async def judge(
        self, frames: Sequence[bytes], *, threshold: float, min_frames: int, deadline: Deadline | None
    ) -> LivenessCheck:
        """Judges frames; one that cannot be judged does not spoil the others.

        Raises:
            DomainError: the first frame's, where none could be judged; the engine's.
        """
        judged: list[FrameLiveness] = []
        first: DomainError | None = None
        for index, content in enumerate(frames):
            try:
                judged.append(FrameLiveness(await self._score(content, f"frames[{index}]", deadline)))
            except DomainError as error:
                if error.kind is not ErrorKind.INVALID_ARGUMENT:
                    raise
                first = first or error
                judged.append(FrameLiveness(None, error.reason))
        scores = [frame.score for frame in judged if frame.score is not None]
        if not scores:
            raise first or DomainError(Reason.NO_FACE, "There was no frame to judge.")
        return decide(tuple(judged), scores, threshold=threshold, min_frames=min_frames)

    async def _score(self, content: bytes, field: str, deadline: Deadline | None) -> float:
        scene = await self._looker.scene(content, field, deadline)
        face = chosen_face(scene, FaceChoice.LARGEST)
        return await self._analyser.liveness(scene.pixels, face, deadline=deadline)


def decide(
    frames: tuple[FrameLiveness, ...], scores: Sequence[float], *, threshold: float, min_frames: int
) -> LivenessCheck:
    """The verdict that the mean of the scores gives."""
    mean = sum(scores) / len(scores)
    if len(scores) < min_frames:
        verdict = LivenessVerdict.UNDECIDED
    else:
        verdict = LivenessVerdict.LIVE if mean >= threshold else LivenessVerdict.NOT_LIVE
    return LivenessCheck(verdict, mean, threshold, min_frames, frames)
