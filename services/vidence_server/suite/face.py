"""Starts the face service."""

from __future__ import annotations

from vidence_server.face import app
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings


def models(settings: SuiteSettings) -> tuple[str, ...]:  # noqa: ARG001 - the signature of `ServiceModule`
    """Those that find, measure and compare faces."""
    return app.MODELS


async def open_service(process: Process) -> None:
    """Faces; nothing is kept."""
    service = app.build_service(process.settings.face, engine=process.models, sessions=process.sessions)
    process.model_services.append(app.register(process.server, service, process.clock))
