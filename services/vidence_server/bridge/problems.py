"""Failures over HTTP: the JSON of google.rpc.Status, as Envoy's transcoder writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from starlette.responses import Response

from vidence_server.bridge.plain import Plain, dumps, to_plain
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.status import to_status

_HTTP_OF_CODE = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501}
_HTTP_OF_CODE |= {14: 503, 16: 401}
"""By canonical code, as google.rpc.Code says; else 500."""
_HTTP_OF_REASON = {Reason.BODY_TOO_LARGE: 413}
_COME_BACK = {grpc.StatusCode.UNAVAILABLE.value[0], grpc.StatusCode.UNKNOWN.value[0]}
"""Codes of a server that is away; clients of streams try again by themselves."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure, ready to be written."""

    http_status: int
    status: Status

    @property
    def is_passing(self) -> bool:
        """Whether a stream may simply be opened again."""
        return self.status.code in _COME_BACK

    def plain(self, pool: DescriptorPool) -> Plain:
        """The failure as JSON."""
        return to_plain(self.status, pool)

    def response(self, pool: DescriptorPool) -> Response:
        """The failure as an answer."""
        headers = {}
        retry = RetryInfo()
        for detail in self.status.details:
            if detail.Unpack(retry):
                headers["retry-after"] = str(math.ceil(retry.retry_delay.ToNanoseconds() / 1e9))
        return Response(dumps(self.plain(pool)), self.http_status, headers, "application/json")


def problem_of(error: DomainError | grpc.aio.AioRpcError, request_id: str = "") -> Problem:
    """What went wrong, here or in a service."""
    if isinstance(error, DomainError):
        status = to_status(error, request_id)
        return Problem(_HTTP_OF_REASON.get(error.reason, _http(status.code)), status)
    # An AioRpcError has the four methods of a call that this reads.
    found: Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]  # see above
    if found is None:
        # From gRPC itself, or from what stands between.
        code = error.code().value[0]
        if code in _COME_BACK:
            told = "The service cannot be reached."
            if is_untrusted(error):
                told = "The service cannot be reached: its certificate is not trusted."
            return problem_of(DomainError(Reason.NOT_READY, told))
        found = Status(code=code, message=error.code().name)
    return Problem(_http(found.code), found)


def is_told(error: grpc.aio.AioRpcError) -> bool:
    """Whether a service ended the call with a status of its own, which has details; gRPC's own have none."""
    # An AioRpcError has the four methods of a call that this reads.
    return rpc_status.from_call(error) is not None  # type: ignore[arg-type]  # see above


def is_untrusted(error: grpc.aio.AioRpcError) -> bool:
    """Whether there is somebody, without TLS or with a certificate of another authority or another name.

    A service that refuses this side's certificate only closes the connection.
    """
    # gRPC has no other word for it than these.
    details = (error.details() or "").lower()
    return "handshake failed" in details or "verification check failed" in details


def _http(code: int) -> int:
    return _HTTP_OF_CODE.get(code, 500)
