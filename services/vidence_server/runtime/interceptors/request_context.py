"""Names each call: its request id and the trace it belongs to, for logs, errors and answers."""

from __future__ import annotations

import re
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vidence_server.core.ids import IdFactory
from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.rpc import Method, Rpc, enter_rpc
from vidence_server.runtime.status import REQUEST_ID_KEY

_TRACE_KEYS = ("traceparent", "tracestate")
# A request id from outside goes to logs and back: short and plain, or it is replaced.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


class RequestContextInterceptor:
    """Takes `x-request-id` and W3C `traceparent` from the metadata; makes an id where there is none."""

    def __init__(self, ids: IdFactory) -> None:
        self._ids = ids
        self._propagator = TraceContextTextMapPropagator()

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Binds the names before the call and returns the request id with the trailers."""

        async def named(request: Any, context: Context) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            request_id = self._request_id(metadata.get(REQUEST_ID_KEY))
            enter_rpc(Rpc(method, request_id))
            # gRPC runs each call in a context of its own: what is bound here ends with the call.
            structlog.contextvars.bind_contextvars(request_id=request_id, **self._trace(metadata))
            context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
            return await behaviour(request, context)

        return named

    def _request_id(self, given: object) -> str:
        if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
            return given
        return self._ids.new("req")

    def _trace(self, metadata: dict[str, Any]) -> dict[str, str]:
        carrier = {key: metadata[key] for key in _TRACE_KEYS if isinstance(metadata.get(key), str)}
        if not carrier:
            return {}
        extracted = self._propagator.extract(carrier)
        span = trace.get_current_span(extracted).get_span_context()
        if not span.is_valid:
            return {}
        otel_context.attach(extracted)
        return {
            "trace_id": trace.format_trace_id(span.trace_id),
            "span_id": trace.format_span_id(span.span_id),
        }
