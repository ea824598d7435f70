"""One span per call, under the one that its caller names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import structlog

from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.interceptors.observation import code_of
from vidence_server.runtime.rpc import Method, current_rpc
from vidence_server.runtime.tracing import CallSpans

_KEYS = ("traceparent", "tracestate")
_SERVERS_FAULT = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes that are errors of a server (OpenTelemetry's semantic conventions for gRPC)."""


class TracingInterceptor:
    """Stands inside of the one that names the call. Calls of `quiet` services (health) have no spans.

    A span holds names of the code and numbers: method, status, reason, request id. Nothing of the request.
    """

    def __init__(self, spans: CallSpans, quiet: Callable[[str], bool]) -> None:
        self._spans = spans
        self._quiet = quiet

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Measures from here to the status."""
        if self._quiet(method.service):
            return behaviour
        name = f"{method.service}/{method.name}"
        fixed = {"rpc__system": "grpc", "rpc__service": method.service, "rpc__method": method.name}

        async def traced(request: Any, context: Context) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            carrier = {key: text for key in _KEYS if isinstance(text := metadata.get(key), str)}
            rpc = current_rpc()
            request_id = rpc.request_id if rpc is not None else ""
            span = self._spans.call(name, carrier, **fixed, vidence__request_id=request_id)
            structlog.contextvars.bind_contextvars(**span.names)
            code = "OK"
            try:
                return await behaviour(request, context)
            except BaseException as error:
                code = code_of(error, context)
                raise
            finally:
                reason = rpc.reason if rpc is not None else ""
                span.end(
                    failed=code in _SERVERS_FAULT,
                    rpc__grpc__status_code=grpc.StatusCode[code].value[0],
                    vidence__reason=reason,
                )

        return traced
