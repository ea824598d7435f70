"""Statuses of the server as `VidenceError`."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import RequestInfo
from google.rpc.status_pb2 import Status

from fakes import extraction_servicer as fake
from vidence_client import FieldViolation, ServerUnreachable, VidenceError


def rpc_error(
    code: grpc.StatusCode, details: str, *trailers: tuple[str, str | bytes]
) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details)


@pytest.mark.requirement("R-EX7")
def test_a_status_keeps_all_that_its_details_say() -> None:
    status = fake.status(
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_INVALID",
        "The request is invalid.",
        metadata={"limit": "5"},
        violations={"options.pdf_page": "must be at least 0"},
        retry_after_s=1.5,
    )
    status.details.add().Pack(RequestInfo(request_id="req-1"))
    error = VidenceError.from_status(status)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "REQUEST_INVALID"
    assert error.metadata == {"limit": "5"}
    assert error.fields == (FieldViolation("options.pdf_page", "must be at least 0"),)
    assert error.retry_after_s == 1.5
    assert error.request_id == "req-1"
    assert str(error) == "REQUEST_INVALID: The request is invalid.; options.pdf_page: must be at least 0"


def test_details_of_newer_servers_and_unknown_codes_are_borne() -> None:
    status = Status(code=99, message="new")
    status.details.add().Pack(Timestamp())
    error = VidenceError.from_status(status)
    assert (error.code, error.reason, str(error)) == (grpc.StatusCode.UNKNOWN, "", "UNKNOWN: new")


def test_the_request_id_of_a_defect_comes_from_its_details() -> None:
    status = fake.status(grpc.StatusCode.INTERNAL, "INTERNAL", "bug", metadata={"request_id": "req-2"})
    assert VidenceError.from_status(status).request_id == "req-2"


def test_a_call_that_a_server_let_go_was_answered_by_nobody() -> None:
    let_go = VidenceError.from_rpc_error(rpc_error(grpc.StatusCode.CANCELLED, "Cancelled"))
    assert isinstance(let_go, ServerUnreachable)
    told = fake.status(grpc.StatusCode.CANCELLED, "CANCELLED", "as you wished")
    answered = VidenceError.from_rpc_error(
        rpc_error(grpc.StatusCode.CANCELLED, "told", ("grpc-status-details-bin", told.SerializeToString()))
    )
    assert not isinstance(answered, ServerUnreachable)
    assert answered.code is grpc.StatusCode.CANCELLED


def test_a_status_that_grpc_lost_is_no_defect_of_the_server() -> None:
    lost = VidenceError.from_rpc_error(rpc_error(grpc.StatusCode.INTERNAL, "Internal error from Core"))
    assert (lost.code, lost.reason) == (grpc.StatusCode.UNKNOWN, "STATUS_LOST")
    told = VidenceError.from_rpc_error(rpc_error(grpc.StatusCode.INTERNAL, "Internal error."))
    assert told.code is grpc.StatusCode.INTERNAL


def test_unavailable_is_unreachable_only_where_no_server_of_ours_gave_a_reason() -> None:
    refused = VidenceError.from_rpc_error(rpc_error(grpc.StatusCode.UNAVAILABLE, "refused"))
    assert isinstance(refused, ServerUnreachable)
    draining = fake.status(grpc.StatusCode.UNAVAILABLE, "DRAINING", "bye", retry_after_s=3)
    answered = VidenceError.from_rpc_error(
        rpc_error(
            grpc.StatusCode.UNAVAILABLE, "bye", ("grpc-status-details-bin", draining.SerializeToString())
        )
    )
    assert not isinstance(answered, ServerUnreachable)
    assert answered.reason == "DRAINING"


def test_damaged_details_leave_code_and_message() -> None:
    error = VidenceError.from_rpc_error(
        rpc_error(grpc.StatusCode.NOT_FOUND, "no such thing", ("grpc-status-details-bin", b"\xff\xff"))
    )
    assert (error.code, error.message) == (grpc.StatusCode.NOT_FOUND, "no such thing")
