"""`GET /metrics` on its own port, answered by a thread so that a busy event loop can still be measured."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.settings import MetricsSettings


class MetricsServer:
    """Serves the metrics while its context is open; does nothing where they are not enabled."""

    def __init__(self, settings: MetricsSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._running: tuple[WSGIServer, threading.Thread] | None = None

    async def __aenter__(self) -> Self:
        """Starts to listen.

        Raises:
            DomainError: `CONFIGURATION_INVALID` where the address cannot be listened on.
        """
        if self._settings.enabled:
            host, port = self._settings.host, self._settings.port
            try:
                self._running = start_http_server(port, host, self._metrics.registry)
            except OSError as error:
                raise DomainError(
                    Reason.CONFIGURATION_INVALID, f"Cannot serve metrics on {host}:{port}: {error.strerror}."
                ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the port and ends the thread."""
        running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(_stop, *running)

    @property
    def port(self) -> int | None:
        """The port it listens on; None where it does not."""
        return self._running[0].server_port if self._running is not None else None


def _stop(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
