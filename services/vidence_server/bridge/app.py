"""Puts the bridge together and serves it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from vidence_server.bridge.calls import Bridge, Calls
from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.health import HealthEndpoint
from vidence_server.bridge.openapi import asyncapi, openapi
from vidence_server.bridge.own_tls import OwnTls
from vidence_server.bridge.pages import pages_app
from vidence_server.bridge.plain import dumps
from vidence_server.bridge.services import ALIASES, SOCKETS
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.bridge.sockets import Sockets
from vidence_server.bridge.statistics import COUNTERS
from vidence_server.bridge.stopping import ClosingAnswers, StoppableServer
from vidence_server.bridge.tracing import RequestSpans
from vidence_server.bridge.upstream import open_upstream
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.heap import settled_heap
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.own_calls import OwnCalls, peer_tls
from vidence_server.runtime.tracing import Tracing

_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_BACKLOG = 1024


@asynccontextmanager
async def open_bridge(settings: BridgeSettings, own_calls: OwnCalls) -> AsyncIterator[Bridge]:
    """What all endpoints share; its channels close with the context."""
    contract = Contract(descriptor_bytes())
    async with open_upstream(settings, [line.name for line in contract.lines], own_calls) as upstream:
        yield Bridge(contract, upstream, settings)


def build_app(bridge: Bridge, *, version: str, clock: Clock, tracing: Tracing | None = None) -> Starlette:
    """The ASGI application."""
    calls = _Endpoint(Calls(bridge))
    sockets = Sockets(bridge, clock)
    documents = {
        "/openapi.json": dumps(openapi(bridge.contract, version)),
        "/asyncapi.json": dumps(asyncapi(bridge.contract, version)),
    }

    async def document(request: Request) -> Response:
        return Response(documents[request.url.path], media_type="application/json")

    routes = [
        Route("/health", HealthEndpoint(bridge, version).answer),
        *(Route(path, document) for path in documents),
        *(WebSocketRoute(path, sockets.serve) for path in SOCKETS),
        *(Route(alias, calls) for alias in ALIASES),
        Mount("/v1", calls),
        Mount("/", pages_app(bridge.settings.pages_dir)),
    ]
    hosts = [host.strip("[]") if "*" not in bridge.settings.hosts else "*" for host in bridge.settings.hosts]
    middleware = [Middleware(ClosingAnswers, draining=bridge.draining)]
    middleware += [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]
    if tracing is not None and tracing.calls is not None:
        middleware.insert(0, Middleware(RequestSpans, spans=tracing.calls, contract=bridge.contract))
    return Starlette(routes=routes, middleware=middleware)


class _Endpoint:
    """`Calls` as an ASGI application: its answers read what is left of the request themselves."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._calls.answer(request)
        await answer(scope, receive, send)


async def serve_bridge(
    settings: BridgeSettings,
    metrics: Metrics,
    *,
    version: str,
    clock: Clock,
    tls: TlsSettings,
    drain_grace_s: float,
    tracing: Tracing | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; streams are told to come back, calls are finished.

    Args:
        settings: Of the bridge.
        metrics: Where it counts.
        version: Of the suite.
        clock: Now.
        tls: What it shows, and whom it believes.
        drain_grace_s: Time that running calls get to finish at a stop.
        tracing: Where its spans go.

    Raises:
        DomainError: CONFIGURATION_INVALID where it cannot listen, or a certificate is not in order.
    """
    log = structlog.get_logger(__name__)
    own = OwnTls(tls) if settings.tls else None
    async with open_bridge(settings, OwnCalls(peer_tls(tls))) as bridge, _looked_after(own):
        metrics.export("bridge", lambda: bridge.statistics, counters=COUNTERS)
        application = build_app(bridge, version=version, clock=clock, tracing=tracing)
        config = _config(application, settings, own)
        server = StoppableServer(config, bridge.draining, bridge.overdue, drain_grace_s)
        with _listen(settings) as door:
            host, port = door.getsockname()[:2]
            log.info("listening", address=f"{host}:{port}", services=["bridge"])
            log.info("ready", service="bridge")
            with settled_heap():
                await server.serve(sockets=[door])
        log.info("stopped")


class _Config(uvicorn.Config):
    """Takes a context for TLS as it is; uvicorn would read the files once."""

    def __init__(self, own: OwnTls | None, app: Starlette, **options: Any) -> None:
        super().__init__(app, **options)
        self._own = own

    def load(self) -> None:
        super().load()
        if self._own is not None:
            self.ssl = self._own.context


@asynccontextmanager
async def _looked_after(own: OwnTls | None) -> AsyncIterator[None]:
    if own is None:
        yield
        return
    task = asyncio.create_task(own.look_after(), name="certificate of the bridge")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _config(app: Starlette, settings: BridgeSettings, own: OwnTls | None) -> uvicorn.Config:
    return _Config(
        own,
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        # Longer than Envoy keeps an idle connection: it is Envoy that closes.
        timeout_keep_alive=75,
        backlog=_BACKLOG,
        ws="websockets-sansio",
        ws_max_size=settings.socket_message_bytes,
        ws_max_queue=4,
        ws_per_message_deflate=False,
    )


def _listen(settings: BridgeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "VIDENCE_BRIDGE__PORT chooses another port.",
        ) from error
