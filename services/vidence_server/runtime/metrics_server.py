"""`GET /metrics`, `/readyz` and `/livez` on a port of their own, answered by a thread.

So a busy event loop can still be measured, and one that hangs is told from one that works.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIServer
from wsgiref.types import StartResponse, WSGIApplication

from prometheus_client import make_wsgi_app, start_http_server

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.settings import MetricsSettings

READY_PATH, LIVE_PATH = "/readyz", "/livez"
_LOOP_S = 4.0
"""How long the event loop has for an answer; probes wait for 5 s."""


class MetricsServer:
    """Serves the metrics while its context is open; does nothing where they are not enabled."""

    def __init__(
        self, settings: MetricsSettings, metrics: Metrics, is_ready: Callable[[], bool] = lambda: True
    ) -> None:
        """A server at rest.

        Args:
            settings: Where it listens.
            metrics: What it shows.
            is_ready: Says `/readyz`: 200 or 503; asked on the event loop.
        """
        self._settings = settings
        self._metrics = metrics
        self._is_ready = is_ready
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
            server = self._running[0]
            # From here on; before, every path shows the metrics.
            answers = _Answers(
                make_wsgi_app(self._metrics.registry), self._is_ready, asyncio.get_running_loop()
            )
            server.set_app(answers.answer)
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


class _Answers:
    """The WSGI application."""

    def __init__(
        self, metrics: WSGIApplication, is_ready: Callable[[], bool], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._metrics = metrics
        self._asked = {READY_PATH: is_ready, LIVE_PATH: lambda: True}
        self._loop = loop

    def answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        ask = self._asked.get(str(environ.get("PATH_INFO")))
        if ask is None:
            return self._metrics(environ, start_response)
        yes = self._ask_loop(ask)
        headers = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]
        start_response("200 OK" if yes else "503 Service Unavailable", headers)
        return [b"yes\n" if yes else b"no\n"]

    def _ask_loop(self, ask: Callable[[], bool]) -> bool:
        """What the event loop says; no where it says nothing in time."""
        said = threading.Event()
        answers: list[bool] = []

        def say() -> None:
            answers.append(ask())
            said.set()

        try:
            self._loop.call_soon_threadsafe(say)
        except RuntimeError:
            return False  # the loop is closed
        return said.wait(_LOOP_S) and answers[0]


def _stop(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
