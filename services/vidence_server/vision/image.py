"""A decoded picture and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vidence_server.vision.text_layer import TextLayer

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""uint8 BGR, (H, W, 3), contiguous."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Pixels as they are to be looked at: EXIF orientation applied, alpha on white, 8 bits, BGR."""

    pixels: Pixels
    media_type: str
    """`image/jpeg`, `image/png`, …, `application/pdf`."""
    sha256: str
    """Hex digest of the submitted bytes."""
    layer: TextLayer | None = None
    """What the file says is written there, unchecked; None where it says nothing."""

    @property
    def width_px(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height_px(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])
