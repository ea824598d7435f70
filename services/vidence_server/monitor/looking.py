"""`Faces` by the models of this process."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.inference.engine import Priority
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.face import Face, Template
from vidence_server.vision.faces.profile import EMBEDDER
from vidence_server.vision.image import Pixels


class ModelFaces:
    """Looks with a `FaceAnalyser`, as somebody who waits for the next frame."""

    def __init__(self, analyser: FaceAnalyser) -> None:
        self._analyser = analyser

    @property
    def model(self) -> str:
        """Registry name and version of what makes the templates."""
        return f"{EMBEDDER}@{self._analyser.embedder_version}"

    async def detect(self, pixels: Pixels) -> Sequence[Face]:
        """All faces of a frame."""
        return await self._analyser.detect(pixels, priority=Priority.LIVE)

    async def embed(self, pixels: Pixels, faces: Sequence[Face]) -> Sequence[Template]:
        """Their templates."""
        return await self._analyser.embed(pixels, faces, priority=Priority.LIVE)
