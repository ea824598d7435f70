"""Small functions of numbers that several models need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Probabilities of logits (n,); float64 (n,), their sum is 1."""
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(exponentials / exponentials.sum())
