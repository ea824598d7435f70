"""One span per HTTP request, under the one that its client names and above the calls that it makes."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidence_server.bridge.contract import Contract
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import ALIASES, SOCKETS
from vidence_server.runtime.tracing import CallSpans

_KEYS = (b"traceparent", b"tracestate")
_PATHS = tuple(PathTemplate(path) for path in (*ALIASES, *SOCKETS, "/health"))
_OTHER = "/"


class RequestSpans:
    """ASGI middleware. A span knows the verb, the template of the path and the status; no path and no query.

    Args:
        app: Answers.
        spans: Makes the spans.
        contract: Knows the templates.
    """

    def __init__(self, app: ASGIApp, spans: CallSpans, contract: Contract) -> None:
        self._app = app
        self._spans = spans
        self._contract = contract

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measures a request to the end of its answer, or a WebSocket to its close."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        verb = str(scope.get("method", "GET"))
        route = self._route(verb, bytes(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"))
        headers = [(key, value) for key, value in scope["headers"] if key != _KEYS[0]]
        carrier = {key.decode(): value.decode("latin-1") for key, value in scope["headers"] if key in _KEYS}
        span = self._spans.call(f"{verb} {route}", carrier, http__request__method=verb, http__route=route)
        # What the request asks for is asked on behalf of this span.
        headers.append((b"traceparent", span.header.encode()))
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = int(message.get("status", status))
            await send(message)

        failed = True
        try:
            await self._app({**scope, "headers": headers}, receive, noting)
            failed = False
        except asyncio.CancelledError:
            failed = False
            raise
        finally:
            known = {"http__response__status_code": status} if status else {}
            span.end(failed=failed or status >= 500, **known)

    def _route(self, verb: str, path: str) -> str:
        for template in _PATHS:
            if template.match(path) is not None:
                return template.text
        match = self._contract.match(verb, path)
        return match.binding.template.text if match is not None else _OTHER
