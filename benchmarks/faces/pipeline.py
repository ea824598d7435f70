"""The models in this process, put together as the server puts them together."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vidence_server.core.clock import SystemClock
from vidence_server.face.app import MODELS, build_analyser, version_of
from vidence_server.face.settings import FaceSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.settings import LogSettings
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.face import Face
from vidence_server.vision.faces.profile import EMBEDDER
from vidence_server.vision.image import Pixels


@dataclass(frozen=True, slots=True)
class FacePipeline:
    """What looks at faces, without a service around it."""

    analyser: FaceAnalyser
    embedder_version: str
    decoder: ImageDecoder

    @staticmethod
    def pictures(folder: Path, pattern: str) -> list[Path]:
        """The pictures of a folder, in the order of their names."""
        return sorted(folder.glob(pattern))

    def pixels(self, path: Path) -> Pixels:
        """A picture as the server would see it."""
        return self.decoder.decode(path.read_bytes()).pixels

    async def central_face(self, pixels: Pixels) -> Face | None:
        """The face nearest to the middle of a picture: whom LFW's pictures are of."""
        height, width = pixels.shape[:2]
        faces = await self.analyser.detect(pixels)

        def off_centre(face: Face) -> float:
            middle = face.box.centre
            return float(abs(middle.x - width / 2) + abs(middle.y - height / 2))

        return min(faces, key=off_centre, default=None)


@asynccontextmanager
async def open_faces() -> AsyncIterator[FacePipeline]:
    """Loads the models with their default settings and warms them up; raises `DomainError`."""
    configure_logs(LogSettings(level="warning"), sys.stderr)
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), MODELS)
    async with Engine(sessions, EngineSettings(), SystemClock()) as engine:
        await engine.warm_up()
        analyser = build_analyser(FaceSettings(), engine=engine, sessions=sessions)
        yield FacePipeline(analyser, version_of(sessions[EMBEDDER]), ImageDecoder(ImageLimits()))
