"""How faces are looked for: names of models, sizes, thresholds."""

from __future__ import annotations

from dataclasses import dataclass

DETECTOR = "face-detector"
EMBEDDER = "face-embedder"
LIVENESS = "face-liveness"
POSE = "face-pose"
EYE = "face-eye"
LANDMARKS = "face-landmarks"

FACE_MODELS = (DETECTOR, EMBEDDER, LIVENESS, POSE, EYE, LANDMARKS)
"""Registry names of all models that a `FaceAnalyser` runs."""


@dataclass(frozen=True, slots=True)
class FaceProfile:
    """Everything that may be chosen about looking at faces."""

    detector_side_px: int = 640
    """Longer side of the picture for the detector."""
    fast_detector_side_px: int = 320
    """The same for pictures of a camera: a quarter of the time, faces from about 30 px of a 640 px frame."""
    largest_magnification: float = 3.0
    """How far a small picture is enlarged for the detector."""
    detection_threshold: float = 0.6
    """Least confidence of a face, 0–1."""
    overlap_threshold: float = 0.3
    """Of two boxes with a larger intersection over union only the surer one stays."""
    max_faces: int = 200
    """The surest are kept."""
    pitch_offset_deg: float = 8.0
    """Added to the pose model's pitch: its median over 100 press portraits (LFW) is -8°."""
    embedding_batch: int = 8
    """Faces of one picture that are embedded in one run."""

    def detector_side(self, *, fast: bool) -> int:
        """The longer side for one of the two ways of looking, px."""
        return self.fast_detector_side_px if fast else self.detector_side_px
