"""Settings of the face service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.runtime.settings import Section


class FaceSettings(Section):
    """What is accepted, and from where on a verdict is given."""

    max_image_bytes: int = Field(20 * 1024 * 1024, ge=1, description="Largest picture, in bytes.")
    max_image_pixels: int = Field(
        50_000_000, ge=64, description="Most pixels of a picture; checked in its header, before decoding."
    )
    detection_threshold: float = Field(0.6, gt=0, lt=1, description="Least confidence of a face.")
    min_inter_eye_px: float = Field(
        12, ge=1, description="Least distance of the eyes for comparing and embedding, px."
    )
    match_threshold: float | None = Field(
        None, ge=-1, le=1, description="Similarity of a match; unset: the published one of the model."
    )
    liveness_threshold: float = Field(
        0.7, ge=0, le=1, description="Mean score of frames that count as live; not certified PAD."
    )
    liveness_min_frames: int = Field(5, ge=1, le=30, description="Judged frames that a verdict needs.")
