"""What a request passes through, in order: refusals after `grpc_web` still become a status for browsers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidence_server.bridge.envoy.origins import origin_pattern
from vidence_server.bridge.settings import BridgeSettings

Json = dict[str, Any]

BUFFER_FILTER = "envoy.filters.http.buffer"
MUTATION_FILTER = "envoy.filters.http.header_mutation"
TRANSCODER_FILTER = "envoy.filters.http.grpc_json_transcoder"
_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_TRANSCODER = f"{_TYPES}.grpc_json_transcoder.v3.GrpcJsonTranscoder"


def http_filters(settings: BridgeSettings, *, descriptors: str, services: Sequence[str]) -> list[Json]:
    """The chain.

    Args:
        settings: Of the bridge.
        descriptors: Path of the contract as a FileDescriptorSet.
        services: Full names of the gRPC services that are transcoded.
    """
    # Authentication (jwt_authn, ext_authz) has its place between the origins and the rate limit.
    chain = [
        _filter("cors", "cors.v3.Cors"),
        _filter("header_mutation", "header_mutation.v3.HeaderMutation"),
        _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _origins(settings.origins),
    ]
    if settings.envoy.requests_per_s is not None:
        chain.append(_rate_limit(settings.envoy.requests_per_s))
    transcoder = _transcoder(descriptors, services, settings.envoy.max_request_bytes)
    held = _filter("buffer", "buffer.v3.Buffer", max_request_bytes=settings.envoy.max_request_bytes)
    chain += [
        _filter("grpc_stats", "grpc_stats.v3.FilterConfig", stats_for_all_methods=False),
        # The transcoder itself has no limit; routes whose body is one JSON value turn this on.
        {**held, "disabled": True},
        {"name": TRANSCODER_FILTER, "typed_config": transcoder},
        _filter("router", "router.v3.Router"),
    ]
    return chain


def no_transcoding() -> Json:
    """For routes whose requests stay what they are."""
    return {"@type": _TRANSCODER, "proto_descriptor_bin": "", "services": []}


def held_body(max_bytes: int) -> Json:
    """For routes whose body is taken as a whole, up to a size."""
    kind = f"{_TYPES}.buffer.v3.BufferPerRoute"
    return {"@type": kind, "buffer": {"max_request_bytes": max_bytes}}


def header_mutation(name: str, value: str) -> Json:
    """For routes whose responses get a header of another value."""
    appended = {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS"}
    return {
        "@type": f"{_TYPES}.header_mutation.v3.HeaderMutationPerRoute",
        "mutations": {"response_mutations": [{"append": appended}]},
    }


def _transcoder(descriptors: str, services: Sequence[str], max_bytes: int) -> Json:
    return {
        "@type": _TRANSCODER,
        "proto_descriptor": descriptors,
        "services": list(services),
        # Unset, the buffer of a stream would be the limit of an answer too.
        "max_response_body_size": max_bytes,
        # Errors become the JSON of google.rpc.Status with its details.
        "convert_grpc_status": True,
        # Otherwise timeouts and headers of the gRPC path would count.
        "match_incoming_request_route": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
        "print_options": {"stream_newline_delimited": True, "preserve_proto_field_names": True},
    }


def _origins(origins: Sequence[str]) -> Json:
    """Lets pages call that may, and whoever is no page; CORS only hides answers, it stops no request."""
    pages = [
        {"name": "origin", "present_match": True, "invert_match": True},
        {"name": "origin", "string_match": {"safe_regex": {"regex": origin_pattern(origins)}}},
        {"name": "sec-fetch-site", "string_match": {"exact": "same-origin"}},
    ]
    policy = {"permissions": [{"any": True}], "principals": [{"header": page} for page in pages]}
    return _filter("rbac", "rbac.v3.RBAC", rules={"action": "ALLOW", "policies": {"pages": policy}})


def _rate_limit(requests_per_s: int) -> Json:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return _filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="requests",
        # Tells gRPC clients RESOURCE_EXHAUSTED instead of UNAVAILABLE.
        rate_limited_as_resource_exhausted=True,
        token_bucket={
            "max_tokens": 2 * requests_per_s,
            "tokens_per_fill": requests_per_s,
            "fill_interval": "1s",
        },
        filter_enabled=always,
        filter_enforced=always,
    )


def _filter(name: str, kind: str, **config: object) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"{_TYPES}.{kind}", **config}}
