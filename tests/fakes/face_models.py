"""The registered face models in this process, and a server around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from fakes.runtime import captured_logs
from vidence_client.sync import LoopThread
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.face import app
from vidence_server.face.service import FaceService
from vidence_server.face.settings import FaceSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings
from vidence_server.vision.faces.analyser import FaceAnalyser


@dataclass(frozen=True)
class FaceModels:
    """Everything that looks at faces, with the models as they ship."""

    engine: Engine
    analyser: FaceAnalyser
    service: FaceService


@asynccontextmanager
async def open_face_models(settings: FaceSettings | None = None) -> AsyncIterator[FaceModels]:
    chosen = settings or FaceSettings()
    sessions = load_sessions(InferenceSettings(), app.MODELS)
    async with Engine(sessions, EngineSettings(workers=2), SystemClock()) as engine:
        yield FaceModels(
            engine,
            app.build_analyser(chosen, engine=engine, sessions=sessions),
            app.build_service(chosen, engine=engine, sessions=sessions),
        )


@contextmanager
def face_server(settings: FaceSettings | None = None) -> Iterator[str]:
    """A server with the face service on a thread of its own; yields its address."""
    thread = LoopThread()
    stack = AsyncExitStack()

    async def start() -> str:
        models = await stack.enter_async_context(open_face_models(settings))
        clock = SystemClock()
        server = RpcServer(
            ServerSettings(port=0, validate_responses=True, drain_accept_s=0, drain_grace_s=0),
            metrics=Metrics(version="test"),
            clock=clock,
            ids=IdFactory(clock),
        )
        name = app.register(server, models.service, clock)
        await stack.enter_async_context(server)
        await server.mark_ready(name)
        return server.address

    with captured_logs("warning"):  # what the server logs must not stand among what commands print
        try:
            yield thread.run(start())
        finally:
            thread.run(stack.aclose())
            thread.close()
