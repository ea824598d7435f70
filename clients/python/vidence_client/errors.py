"""What a call can fail with.

Every failure of a server arrives as `VidenceError`, whether it came as a gRPC status or inside a stream.
Errors found on this side of the wire use the same class with a reason of `ClientReason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_STATUS_DETAILS_KEY = "grpc-status-details-bin"
_REQUEST_ID_KEY = "x-request-id"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ClientReason(StrEnum):
    """Reasons that no server sends: what this side of the wire found out."""

    STREAM_SILENT = "STREAM_SILENT"
    """Nothing came for 2.5 heartbeat periods: the stream is dead."""
    STREAM_BROKEN = "STREAM_BROKEN"
    """The stream broke a guarantee: a hole in the sequence, no terminal message, or something after it."""
    STATUS_LOST = "STATUS_LOST"
    """The stream broke off while it was written to; what the server said then is not known."""
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    """The content is larger than any message may be; nothing was sent."""
    BUFFER_FULL = "BUFFER_FULL"
    """A publisher holds as many events as it may."""
    STREAM_GAP = "STREAM_GAP"
    """Events of a watched log are lost, and nobody asked to be told otherwise."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One request field that is wrong: its path (`options.pdf_page`) and what is wrong with it."""

    field: str
    description: str


class VidenceError(Exception):
    """A call or an item failed.

    Attributes:
        code: Canonical gRPC status code.
        reason: Why, for machines: a value of `vidence.error.v1.Reason` without its prefix, or of
            `ClientReason`. Empty where the peer gave none.
        message: Why, for people.
        metadata: Numbers and names that belong to the reason, such as `limit_bytes`.
        fields: Which fields of the request are wrong.
        retry_after_s: Seconds to wait before trying again; None where the server did not invite that.
        request_id: Finds the server's log entry. Empty where the server gave none.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        fields: tuple[FieldViolation, ...] = (),
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.fields = fields
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    def __str__(self) -> str:
        wrong = "".join(f"; {violation.field}: {violation.description}" for violation in self.fields)
        return f"{self.reason or self.code.name}: {self.message}{wrong}"

    @staticmethod
    def from_status(status: status_pb2.Status) -> VidenceError:
        """Makes the error that `status` describes, as it stands in a `…_failed` message or in a trailer."""
        details = _Details.unpack(status)
        return VidenceError(
            _CODES.get(status.code, grpc.StatusCode.UNKNOWN),
            details.reason,
            status.message,
            metadata=details.metadata,
            fields=details.fields,
            retry_after_s=details.retry_after_s,
            request_id=details.request_id,
        )

    @staticmethod
    def from_rpc_error(error: grpc.aio.AioRpcError | grpc.Call) -> VidenceError:
        """Makes the error that a call ended with.

        UNAVAILABLE without a reason means that no server of ours answered: then it is a `ServerUnreachable`.
        So is CANCELLED: what is cancelled on this side is no `AioRpcError`, and a server that ends just then
        lets calls go that it has not begun. Where gRPC lost the status, it is UNKNOWN.
        """
        status = _status_of(error)
        made = VidenceError.from_status(status)
        if made.code in _NOBODY and not made.reason:
            return ServerUnreachable(made.message)
        if made.code is grpc.StatusCode.INTERNAL and made.message == _STATUS_LOST:
            return VidenceError(grpc.StatusCode.UNKNOWN, ClientReason.STATUS_LOST, "the stream broke off")
        made.request_id = made.request_id or request_id_of(error)
        return made

    @staticmethod
    def closed_here() -> VidenceError:
        """Makes the error of a call whose connection was closed on this side."""
        return VidenceError(grpc.StatusCode.CANCELLED, "CANCELLED", "the connection was closed on this side")

    @staticmethod
    def stream_broken(message: str) -> VidenceError:
        """Makes the error for a stream that breaks its guarantees."""
        return VidenceError(grpc.StatusCode.DATA_LOSS, ClientReason.STREAM_BROKEN, message)


class ServerUnreachable(VidenceError):  # noqa: N818 - reads as what happened; its base carries the suffix
    """Nothing answers at the address, or what answered has gone away."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, reason, message)


_STATUS_LOST = "Internal error from Core"
"""What grpc.aio says instead of the server's status, where that came while a message was written.

https://github.com/grpc/grpc/issues/36066
"""
_NOBODY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""Codes that, without a reason, are of the connection and not of a server of ours."""


@dataclass(slots=True)
class _Details:
    reason: str = ""
    metadata: Mapping[str, str] | None = None
    fields: tuple[FieldViolation, ...] = ()
    retry_after_s: float | None = None
    request_id: str = ""

    @classmethod
    def unpack(cls, status: status_pb2.Status) -> _Details:
        """Reads the details that are known; unknown ones belong to newer servers."""
        found = cls()
        info = error_details_pb2.ErrorInfo()
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        request = error_details_pb2.RequestInfo()
        for detail in status.details:
            if detail.Unpack(info):
                found.reason = info.reason
                found.metadata = dict(info.metadata)
                found.request_id = found.request_id or info.metadata.get("request_id", "")
            elif detail.Unpack(bad_request):
                found.fields = tuple(
                    FieldViolation(item.field, item.description) for item in bad_request.field_violations
                )
            elif detail.Unpack(retry):
                found.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(request):
                found.request_id = request.request_id
        return found


def request_id_of(error: grpc.aio.AioRpcError | grpc.Call) -> str:
    """Finds the request id among the trailers; empty where the server sent none."""
    found = [value for key, value in error.trailing_metadata() or () if key == _REQUEST_ID_KEY]
    return found[0] if found and isinstance(found[0], str) else ""


def _status_of(error: grpc.aio.AioRpcError | grpc.Call) -> status_pb2.Status:
    """Takes the full status from the trailer, or makes one of code and details where a proxy cut it off."""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")
