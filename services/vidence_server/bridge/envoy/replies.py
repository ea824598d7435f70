"""What Envoy itself says when it does not pass a request on: the same JSON as the services say."""

from __future__ import annotations

from typing import Any

from vidence_server.core.errors import Reason
from vidence_server.runtime.status import ERROR_DOMAIN

Json = dict[str, Any]

_REASONS = {
    400: (3, Reason.REQUEST_INVALID),
    403: (7, Reason.ORIGIN_REFUSED),
    404: (5, Reason.PATH_UNKNOWN),
    413: (3, Reason.BODY_TOO_LARGE),
    429: (8, Reason.RATE_LIMITED),
    502: (14, Reason.NOT_READY),
    503: (14, Reason.NOT_READY),
    504: (4, Reason.DEADLINE_EXCEEDED),
}
"""Canonical code and reason by HTTP status; gRPC and gRPC-Web get the code that Envoy derives itself."""


def local_replies() -> Json:
    """The mapping; the first that fits counts."""
    return {"mappers": [_come_back(), *(_problem(status) for status in _REASONS)]}


def _problem(status: int) -> Json:
    code, reason = _REASONS[status]
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": str(reason),
        "domain": ERROR_DOMAIN,
    }
    body = {"code": code, "message": "%LOCAL_REPLY_BODY%", "details": [info]}
    return {"filter": _is(status), "body_format_override": {"json_format": body}}


def _come_back() -> Json:
    """While nobody is there, an `EventSource`, which gives up on any status but 200, gets an empty stream."""
    accepts = {"name": "accept", "string_match": {"contains": "text/event-stream"}}
    return {
        "filter": {"and_filter": {"filters": [_is(503), {"header_filter": {"header": accepts}}]}},
        "status_code": 200,
        "body_format_override": {
            "text_format_source": {"inline_string": "retry: 3000\n\n"},
            "content_type": "text/event-stream",
        },
    }


def _is(status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"vidence_reply_{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
