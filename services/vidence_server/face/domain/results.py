"""What the face service answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from vidence_server.core.errors import Reason
from vidence_server.face.domain.thresholds import MatchRates
from vidence_server.vision.faces.face import Box, Contour, Face, HeadPose, Template
from vidence_server.vision.faces.quality.measure import Quality


class FaceChoice(Enum):
    """Which face of a picture is meant."""

    ONLY = auto()
    """The only one; several are an error."""
    LARGEST = auto()
    """The largest, as on a document that repeats its portrait."""


class MatchVerdict(Enum):
    """Whether two faces count as one person's."""

    MATCH = auto()
    NO_MATCH = auto()


class LivenessVerdict(Enum):
    """Whether a face counts as live. Not certified presentation-attack detection."""

    LIVE = auto()
    NOT_LIVE = auto()
    UNDECIDED = auto()
    """Fewer frames could be judged than asked for."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Of a picture as it is displayed, px."""

    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A face, and what was asked about it."""

    face: Face
    pose: HeadPose
    contour: Contour | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """The faces of a picture, the largest first."""

    size: PictureSize
    faces: tuple[SeenFace, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The quality of the largest face of a picture."""

    size: PictureSize
    face: SeenFace
    quality: Quality
    face_count: int


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """A face, its template and how good the picture of it is."""

    face: SeenFace
    template: Template
    quality: Quality


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The templates of a picture's faces, the largest first."""

    size: PictureSize
    faces: tuple[EmbeddedFace, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two faces compared."""

    similarity: float
    """Cosine, -1 to 1."""
    threshold: float
    verdict: MatchVerdict
    rates: MatchRates | None
    """None where nothing was measured: weights of the operator's own, an unusual threshold."""
    reference: EmbeddedFace
    probe: EmbeddedFace


@dataclass(frozen=True, slots=True)
class FrameLiveness:
    """One frame: its score, or why it has none."""

    score: float | None
    """0–1."""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class LivenessCheck:
    """Several frames of one face judged together."""

    verdict: LivenessVerdict
    score: float
    """Mean over the judged frames, 0–1; 0 where none could be judged."""
    threshold: float
    min_frames: int
    frames: tuple[FrameLiveness, ...]

    @property
    def judged(self) -> int:
        """Frames that have a score."""
        return sum(frame.score is not None for frame in self.frames)


@dataclass(frozen=True, slots=True)
class FaceTemplate:
    """A face as numbers, for those who keep it; personal data.

    Templates of different (model, version) are never compared.
    """

    vector: tuple[float, ...]
    """Of length 1."""
    model: str
    version: str
    quality: int
    """Unified quality, 0–100."""
    box: Box
