"""Errors of the domain as gRPC statuses with details (google.rpc.Status, AIP-193)."""

from __future__ import annotations

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from vidence_server.core.errors import DomainError, Reason

ERROR_DOMAIN = "vidence"
STATUS_DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
# Details travel in the trailers, of which clients accept 8 KiB.
_MAX_FIELD_VIOLATIONS = 20


def to_status(error: DomainError, request_id: str) -> Status:
    """The status of an error: ErrorInfo always, BadRequest for fields, RetryInfo where trying again helps.

    Args:
        error: What failed.
        request_id: Names the call; part of the details of an `INTERNAL` failure, whose log entry it finds.
    """
    status = Status(code=status_code(error).value[0], message=error.message)
    metadata = dict(error.metadata)
    if error.reason is Reason.INTERNAL:
        metadata["request_id"] = request_id
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=metadata))
    if error.fields:
        violations = [
            BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.fields[:_MAX_FIELD_VIOLATIONS]
        ]
        status.details.add().Pack(BadRequest(field_violations=violations))
    if error.retry_after_s is not None:
        status.details.add().Pack(RetryInfo(retry_delay=to_duration(error.retry_after_s)))
    return status


def to_duration(seconds: float) -> Duration:
    """A protobuf Duration of `seconds`, exact to the nanosecond."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def status_code(error: DomainError) -> grpc.StatusCode:
    """The canonical code that belongs to the error's reason."""
    return grpc.StatusCode[error.kind.name]


def trailing_metadata(status: Status, request_id: str) -> tuple[tuple[str, str | bytes], ...]:
    """The trailers that go with a status: its details and the request id."""
    return ((STATUS_DETAILS_KEY, status.SerializeToString()), (REQUEST_ID_KEY, request_id))


def domain_error_of(error: BaseException) -> DomainError | None:
    """The domain error that `error` is, or the first of a group of nothing but domain errors; else None."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [domain_error_of(member) for member in error.exceptions]
        return found[0] if all(found) else None
    return None


def defect() -> DomainError:
    """What a caller is told of a bug in the server: that, and (by `to_status`) where it is logged."""
    return DomainError(
        Reason.INTERNAL, "Internal error. The server's log has the cause under the request id."
    )
