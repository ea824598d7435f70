"""Starts the event service."""

from __future__ import annotations

from vidence_server.event import app
from vidence_server.suite.process import Process
from vidence_server.suite_settings import SuiteSettings


def models(settings: SuiteSettings) -> tuple[str, ...]:  # noqa: ARG001 - the signature of `ServiceModule`
    """None."""
    return ()


async def open_service(process: Process) -> None:
    """The bus; services after it publish to it without a network between."""
    settings = process.settings
    tenants = await process.stack.enter_async_context(
        app.open_service(
            settings.event,
            settings.storage.folder,
            process.clock,
            process.ids,
            # The ping that ends a frozen peer may be on its way before the first write that waits.
            stale_after_s=settings.server.keepalive_timeout_s / 2,
            tenants=process.tenants,
        )
    )
    process.light_services.append(app.register(process.server, tenants))
    app.export(process.metrics, tenants)
    process.bus = app.InProcessSink(tenants, process.server.check_request)
