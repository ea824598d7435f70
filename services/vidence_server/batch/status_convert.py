"""Failures of items as `google.rpc.Status`, and back; what became of results in libraries."""

from __future__ import annotations

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from vidence.library.v1 import filing_pb2
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import Filing
from vidence_server.core.errors import ErrorKind, Reason
from vidence_server.runtime.status import ERROR_DOMAIN

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def to_failure_status(failure: Failure) -> Status:
    """Code, message, and ErrorInfo with the reason."""
    status = Status(code=grpc.StatusCode[failure.kind.name].value[0], message=failure.message)
    info = ErrorInfo(reason=failure.reason, domain=ERROR_DOMAIN, metadata=failure.metadata)
    status.details.add().Pack(info)
    return status


def of_failure_status(status: Status) -> Failure:
    """The failure that a worker told; what it did not say is an INTERNAL one."""
    info = ErrorInfo()
    _ = any(detail.Unpack(info) for detail in status.details)
    code = _CODES.get(status.code, grpc.StatusCode.INTERNAL).name
    kind = ErrorKind[code] if code in ErrorKind.__members__ else ErrorKind.INTERNAL
    return Failure(info.reason or str(Reason.INTERNAL), kind, status.message, dict(info.metadata))


def to_filing(filing: Filing) -> filing_pb2.Filing:
    """What became of a result that was to go into a library."""
    return filing_pb2.Filing(
        library_id=filing.library_id,
        document_id=filing.document_id,
        state=filing_pb2.FilingState.Value(f"FILING_STATE_{filing.state.value}"),
        error=None if filing.failure is None else to_failure_status(filing.failure),
    )
