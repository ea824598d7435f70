"""Failed calls of other services, in the terms of the domain."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.status import ERROR_DOMAIN

R = TypeVar("R")

_REASON_OF_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: Reason.REQUEST_INVALID,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.QUEUE_FULL,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.CREDENTIAL_INVALID,
    grpc.StatusCode.PERMISSION_DENIED: Reason.SCOPE_MISSING,
    grpc.StatusCode.INTERNAL: Reason.INTERNAL,
}
"""For answers without details, which come from gRPC itself or from what stands between; else NOT_READY."""


def domain_error_of_call(error: grpc.aio.AioRpcError) -> DomainError:
    """What another service of the suite answered; NOT_READY where none did."""
    # An AioRpcError has the four methods of a call that this reads.
    status: Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]  # see above
    info, retry = ErrorInfo(), RetryInfo()
    for detail in status.details if status is not None else ():
        _ = detail.Unpack(info) or detail.Unpack(retry)
    reason = _REASON_OF_CODE.get(error.code(), Reason.NOT_READY)
    if info.domain == ERROR_DOMAIN and info.reason in Reason.__members__:
        reason = Reason[info.reason]
    return DomainError(
        reason,
        (status.message if status is not None else "") or f"The service answered {error.code().name}.",
        metadata=dict(info.metadata),
        retry_after_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
    )


async def answer_of(call: Awaitable[R]) -> R:
    """What another service answers; raises `DomainError` where that is an error, and where it is away."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise domain_error_of_call(error) from error
