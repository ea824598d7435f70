"""Which request goes where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vidence_server.bridge.contract import Binding, Contract, Rpc
from vidence_server.bridge.envoy.filters import (
    BUFFER_FILTER,
    MUTATION_FILTER,
    TRANSCODER_FILTER,
    header_mutation,
    held_body,
    no_transcoding,
)
from vidence_server.bridge.envoy.origins import origin_pattern
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import ALIASES, ServiceLine
from vidence_server.bridge.settings import BridgeSettings

Json = dict[str, Any]

BRIDGE_CLUSTER = "bridge"
SESSION_HEADER = "vidence-session-id"
_SESSION_IN_PATH = r"^/(v1/sessions|ws/sessions|face/stream)/([^/:?]+).*$"
_BRIDGE_FORMS = (("accept", "text/event-stream"), ("content-type", "multipart/form-data"))
_GET: Json = {"name": ":method", "string_match": {"exact": "GET"}}
_PATIENT: Json = {
    "num_retries": 5,
    "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
}
"""Two seconds or so, in which a bridge that is replaced is there again, or another one is asked."""
_JSON, _NDJSON = "application/json", "application/x-ndjson"
_NEVER = "0s"
_UNBUFFERED: Sequence[Json] = (
    {"header": {"key": "cache-control", "value": "no-cache, no-transform"}},
    # nginx and its kin pass each message on as it comes.
    {"header": {"key": "x-accel-buffering", "value": "no"}},
)
_REQUEST_HEADERS = (
    "content-type, authorization, x-grpc-web, x-user-agent, grpc-timeout, connect-protocol-version, "
    f"last-event-id, x-request-id, traceparent, tracestate, {SESSION_HEADER}"
)
_RESPONSE_HEADERS = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id, retry-after"


def cluster_name(line: ServiceLine) -> str:
    """The upstream of a service."""
    return f"service_{line.name}"


def virtual_host(contract: Contract, settings: BridgeSettings) -> Json:
    """All routes, the first that fits counts."""
    routes = [
        *_to_bridge_by_form(),
        *_transcoded(contract, settings),
        *_native(contract, settings),
        *_aliased(contract, settings),
        _no_method(),
        _bridge({"prefix": "/", "headers": [_GET]}, timeout=f"{settings.unary_timeout_s}s"),
        _bridge({"prefix": "/"}, timeout=f"{settings.unary_timeout_s}s"),
    ]
    return {
        "name": "vidence",
        "domains": _domains(settings.hosts),
        "routes": routes,
        "typed_per_filter_config": {"envoy.filters.http.cors": _cors(settings.origins)},
    }


def _domains(hosts: Sequence[str]) -> list[str]:
    if "*" in hosts:
        return ["*"]
    return [domain for host in hosts for domain in (host, f"{host}:*")]


def _cors(origins: Sequence[str]) -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"safe_regex": {"regex": origin_pattern(origins)}}],
        "allow_methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "allow_headers": _REQUEST_HEADERS,
        "expose_headers": _RESPONSE_HEADERS,
        "max_age": "86400",
    }


def _to_bridge_by_form() -> Iterator[Json]:
    """WebSockets, SSE with cursors, multipart: what the transcoder cannot do."""
    socket = _bridge({"prefix": "/ws/"}, timeout=_NEVER)
    socket["route"]["upgrade_configs"] = [{"upgrade_type": "websocket", "enabled": True}]
    yield socket
    for header, value in _BRIDGE_FORMS:
        matched = {"name": header, "string_match": {"contains": value, "ignore_case": True}}
        yield _bridge({"prefix": "/v1/", "headers": [matched, _GET]}, timeout=_NEVER)
        yield _bridge({"prefix": "/v1/", "headers": [matched]}, timeout=_NEVER)


def _transcoded(contract: Contract, settings: BridgeSettings) -> Iterator[Json]:
    """JSON in, JSON or NDJSON out, one route per place in HTTP."""
    for rpc, binding in contract.bound():
        match = {"safe_regex": {"regex": binding.template.pattern}, "headers": [_verb(binding)]}
        if rpc.has_open_payload or (rpc.client_streaming and binding.body == "*"):
            # The transcoder stops at a payload of a foreign type, and takes a JSON array only.
            yield _bridge(match, timeout=_timeout(rpc, settings))
            continue
        filters: Json = dict(_ndjson()) if rpc.server_streaming else {}
        if binding.body and not rpc.client_streaming:
            filters[BUFFER_FILTER] = held_body(settings.envoy.max_request_bytes)
        yield {
            **_to_service(rpc.line, match, _timeout(rpc, settings)),
            "response_headers_to_add": list(_UNBUFFERED),
            "typed_per_filter_config": filters,
        }


def _aliased(contract: Contract, settings: BridgeSettings) -> Iterator[Json]:
    """Paths of older clients: the bridge knows what they mean, Envoy how long that may take."""
    for alias, meant in ALIASES.items():
        for rpc, binding in contract.bound():
            if binding.template.same_as(PathTemplate(meant)):
                match = {"safe_regex": {"regex": PathTemplate(alias).pattern}, "headers": [_verb(binding)]}
                yield _bridge(match, timeout=_timeout(rpc, settings))


def _native(contract: Contract, settings: BridgeSettings) -> Iterator[Json]:
    """GRPC and gRPC-Web: by service, and by method where the time of a call is limited."""
    for line in contract.lines:
        for rpc in contract.rpcs:
            if rpc.line == line and not (rpc.server_streaming or rpc.client_streaming):
                yield _grpc_route(line, {"path": rpc.path}, _timeout(rpc, settings))
        for service in contract.services_of(line):
            yield _grpc_route(line, {"prefix": f"/{service}/"}, _NEVER)
    if contract.lines:
        # Health and reflection of one process; where services are apart, ask each at its own address.
        for prefix in ("/grpc.health.v1.Health/", "/grpc.reflection."):
            yield _grpc_route(contract.lines[0], {"prefix": prefix}, _NEVER)


def _no_method() -> Json:
    """GRPC of whatever is not offered: Envoy makes UNIMPLEMENTED of it, also for gRPC-Web."""
    matched = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    return {"match": {"prefix": "/", "headers": [matched]}, "direct_response": {"status": 404}}


def _grpc_route(line: ServiceLine, match: Json, timeout: str) -> Json:
    return {
        **_to_service(line, match, timeout),
        "response_headers_to_add": list(_UNBUFFERED),
        "typed_per_filter_config": {TRANSCODER_FILTER: no_transcoding()},
    }


def _to_service(line: ServiceLine, match: Json, timeout: str) -> Json:
    route: Json = {**_action(cluster_name(line), timeout), "retry_policy": _only_before_work()}
    if line.sticky:
        route["hash_policy"] = _session_hash()
    return {"match": match, "route": route}


def _bridge(match: Json, *, timeout: str) -> Json:
    repeated = _unanswered() if _GET in match.get("headers", ()) else _only_before_work()
    return {
        "match": match,
        "route": {**_action(BRIDGE_CLUSTER, timeout), "retry_policy": {**repeated, **_PATIENT}},
        "typed_per_filter_config": {TRANSCODER_FILTER: no_transcoding()},
    }


def _action(cluster: str, timeout: str) -> Json:
    # Unset, a route would be cut after 15 s, and a client's grpc-timeout be ignored.
    limits = {"max_stream_duration": timeout, "grpc_timeout_header_max": _NEVER}
    return {"cluster": cluster, "timeout": timeout, "max_stream_duration": limits, "idle_timeout": _NEVER}


def _only_before_work() -> Json:
    """Nothing of the request was sent: whatever it asks for, it was not done."""
    return {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2}


def _unanswered() -> Json:
    """Nothing was answered: harmless where the request only reads."""
    return {**_only_before_work(), "retry_on": "connect-failure,refused-stream,reset"}


def _session_hash() -> list[Json]:
    in_path = {
        "header_name": ":path",
        "regex_rewrite": {"pattern": {"regex": _SESSION_IN_PATH}, "substitution": r"\2"},
    }
    return [{"header": {"header_name": SESSION_HEADER}, "terminal": True}, {"header": in_path}]


def _verb(binding: Binding) -> Json:
    return {"name": ":method", "string_match": {"exact": binding.verb}}


def _timeout(rpc: Rpc, settings: BridgeSettings) -> str:
    if rpc.server_streaming or rpc.client_streaming:
        return _NEVER
    return f"{settings.envoy.unary_timeout_s}s"


def _ndjson() -> Mapping[str, Json]:
    """The transcoder says `application/json`, of errors rightly."""
    kind = f"%CEL(response.code == 200 ? '{_NDJSON}' : '{_JSON}')%"
    return {MUTATION_FILTER: header_mutation("content-type", kind)}
