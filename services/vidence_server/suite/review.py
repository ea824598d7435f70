"""Starts the review service."""

from __future__ import annotations

import random

from vidence_server.review import app
from vidence_server.suite import erasure
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings


def models(settings: SuiteSettings) -> tuple[str, ...]:  # noqa: ARG001 - the signature of `ServiceModule`
    """None: people judge."""
    return ()


async def open_service(process: Process) -> None:
    """Reviews, who looks at them, and purges, of which reviews are a part."""
    opened = await process.stack.enter_async_context(
        app.open_service(
            process.settings.review,
            process.settings.storage.location,
            await process.bus_for_others(),
            clock=process.clock,
            random=random.Random().random,
        )
    )
    app.export(process.metrics, opened)
    process.light_services.append(app.register(process.server, opened.service))
    await erasure.open_service(process, opened.service)
