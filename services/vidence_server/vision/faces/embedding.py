"""Faces as vectors (SFace, Zhong et al. 2021): input, template, similarity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.faces.align import similarity_transform, warped
from vidence_server.vision.faces.face import Landmarks, Template
from vidence_server.vision.image import Pixels

SIDE_PX = 112
_TARGETS = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where the five landmarks lie in an aligned face of 112 px."""


def embedder_input(pixels: Pixels, landmarks: Landmarks) -> npt.NDArray[np.float32]:
    """float32 (1, 3, 112, 112), RGB, 0–255: the aligned face."""
    transform = similarity_transform(landmarks.array, _TARGETS)
    aligned = warped(pixels, transform, SIDE_PX, SIDE_PX)
    return np.ascontiguousarray(aligned[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)


def template(output: npt.NDArray[np.float32], model: str, version: str) -> Template:
    """A template of one row of the model's output, (128,)."""
    length = max(float(np.linalg.norm(output)), 1e-12)
    return Template(np.asarray(output / length, np.float32), model, version)


def similarity(a: Template, b: Template) -> float:
    """Cosine of two templates, -1 to 1.

    Raises:
        DomainError: TEMPLATE_FOREIGN, when they are of different models, versions or lengths.
    """
    if (a.model, a.version, a.vector.shape) != (b.model, b.version, b.vector.shape):
        raise DomainError(
            Reason.TEMPLATE_FOREIGN,
            "The templates are of different models; only those of one model and version can be compared.",
            metadata={"model": f"{a.model}@{a.version}", "other_model": f"{b.model}@{b.version}"},
        )
    return float(np.clip(np.dot(a.vector, b.vector), -1.0, 1.0))
