"""What the server does with each call: its id, its log entry, its errors."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from eventually import eventually
from fakes.extraction_servicer import duration
from fakes.runtime import (
    SERVICE,
    bad_request,
    captured_logs,
    error_info,
    extraction_server,
    open_work,
    record,
    status_of,
)
from fakes.server_calls import failure, health
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason

READ = f"/{SERVICE}/ReadDocument"

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.requirement("R-OP3")
async def test_a_request_id_comes_back_with_the_answer_the_stream_and_the_failure() -> None:
    metadata = (("x-request-id", "order-66"),)
    async with extraction_server(open_work()) as running:
        stub = running.extraction
        unary = stub.ReadDocument(pb.ReadDocumentRequest(), metadata=metadata)
        await unary
        stream = stub.ExtractDocument(pb.ExtractDocumentRequest(), metadata=metadata)
        headers = dict(await stream.initial_metadata())
        await record(stream)
        failing = stub.ReadDocument(pb.ReadDocumentRequest(document_type="!"), metadata=metadata)
        await failure(failing)
        trailers = [dict(await call.trailing_metadata()) for call in (unary, stream, failing)]
    assert headers["x-request-id"] == "order-66"
    assert [one["x-request-id"] for one in trailers] == ["order-66"] * 3


@pytest.mark.parametrize("given", [None, "x" * 200, "two words"], ids=["none", "too long", "not plain"])
async def test_a_call_without_a_usable_request_id_gets_one(given: str | None) -> None:
    metadata = (("x-request-id", given),) if given else ()
    async with extraction_server(open_work()) as running:
        call = running.extraction.ReadDocument(pb.ReadDocumentRequest(), metadata=metadata)
        await call
        request_id = dict(await call.trailing_metadata())["x-request-id"]
    assert str(request_id).startswith("req_")


@pytest.mark.requirement("R-OP3")
async def test_each_call_is_logged_once_with_its_trace_and_without_its_contents() -> None:
    metadata = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"), ("x-request-id", "order-66"))
    labels = {"service": SERVICE, "method": "ReadDocument"}
    with captured_logs() as logs:
        async with extraction_server(open_work()) as running:
            stub = running.extraction
            await stub.ReadDocument(pb.ReadDocumentRequest(content=b"ERIKSSON" * 9), metadata=metadata)
            await failure(stub.ReadDocument(pb.ReadDocumentRequest(document_type="ERIKSSON")))
            # A caller may have its answer before the call is counted.
            await eventually(lambda: len(logs.of("rpc")) == 2)
            assert running.metric("vidence_rpcs_total", code="OK", **labels) == 1
            assert running.metric("vidence_rpcs_total", code="INVALID_ARGUMENT", **labels) == 1
    fine, wrong = logs.of("rpc")
    assert (fine["method"], fine["code"], fine["reason"]) == ("ReadDocument", "OK", "")
    assert (fine["request_id"], fine["trace_id"]) == ("order-66", TRACE)
    assert (wrong["code"], wrong["reason"]) == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert "trace_id" not in wrong
    assert "ERIKSSON" not in logs.text


async def test_a_broken_trace_parent_is_ignored() -> None:
    with captured_logs() as logs:
        async with extraction_server(open_work()) as running:
            metadata = (("traceparent", "00-nonsense"),)
            await running.extraction.ReadDocument(pb.ReadDocumentRequest(), metadata=metadata)
            await eventually(lambda: bool(logs.of("rpc")))
    assert "trace_id" not in logs.of("rpc")[0]


async def test_health_checks_are_logged_for_debugging_only() -> None:
    with captured_logs("info") as logs:
        async with extraction_server(open_work()) as running:
            await health(running)
    assert logs.of("rpc") == []


@pytest.mark.requirement("R-OP3")
async def test_a_wrong_request_names_each_field_that_breaks_its_rule() -> None:
    options = pb.ExtractionOptions(pdf_page=-1, heartbeat_period=duration(301))
    async with extraction_server(open_work()) as running:
        request = pb.ExtractDocumentRequest(document_type="No Key", options=options)
        seen = await record(running.extraction.ExtractDocument(request))
    assert seen.messages == []
    assert seen.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(seen.status).reason == "REQUEST_INVALID"
    violations = {one.field: one.description for one in bad_request(seen.status).field_violations}
    assert sorted(violations) == ["document_type", "options.heartbeat_period", "options.pdf_page"]
    assert "greater than or equal to 0" in violations["options.pdf_page"]
    assert "No Key" not in str(seen.status)


async def test_bytes_that_are_no_message_are_a_wrong_request() -> None:
    async with extraction_server(open_work()) as running:
        call: Any = running.channel.unary_unary(READ)
        error = await failure(call(b"\xff\xff\xff"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(status_of(error)).reason == "REQUEST_INVALID"


async def test_an_unknown_method_is_unimplemented() -> None:
    async with extraction_server(open_work()) as running:
        call: Any = running.channel.unary_unary(f"/{SERVICE}/Nothing")
        error = await failure(call(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_wrong_answer_fails_its_call_where_responses_are_validated() -> None:
    async with extraction_server(open_work(), read=lambda _: pb.ReadDocumentResponse()) as running:
        error = await failure(running.extraction.ReadDocument(pb.ReadDocumentRequest()))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "extraction_id" in str(error.details())
    assert error_info(status_of(error)).metadata["request_id"]


async def test_the_domains_errors_of_a_unary_call_become_its_status() -> None:
    def read(request: pb.ReadDocumentRequest) -> pb.ReadDocumentResponse:
        raise DomainError(Reason.DOCUMENT_TYPE_UNKNOWN, "No such type.", metadata={"known": "passport"})

    async with extraction_server(open_work(), read=read) as running:
        error = await failure(running.extraction.ReadDocument(pb.ReadDocumentRequest()))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(error_info(status_of(error)).metadata) == {"known": "passport"}


@pytest.mark.requirement("R-OP3")
async def test_a_defect_in_a_unary_call_is_told_as_internal_and_logged_with_its_request_id() -> None:
    def read(request: pb.ReadDocumentRequest) -> pb.ReadDocumentResponse:
        raise KeyError(request.content.decode())

    with captured_logs() as logs:
        async with extraction_server(open_work(), read=read) as running:
            request = pb.ReadDocumentRequest(content=b"ERIKSSON")
            error = await failure(running.extraction.ReadDocument(request))
    assert error.code() is grpc.StatusCode.INTERNAL
    request_id = error_info(status_of(error)).metadata["request_id"]
    (entry,) = logs.of("defect")
    assert entry["request_id"] == request_id
    assert "builtins.KeyError" in entry["traceback"]
    assert "ERIKSSON" not in logs.text + str(error.details())


async def test_a_servicers_own_abort_keeps_its_status() -> None:
    with captured_logs() as logs:
        async with extraction_server(open_work()) as running:
            with pytest.raises(grpc.aio.AioRpcError):
                await health(running, "nobody")
            await eventually(lambda: bool(logs.of("rpc")))
    assert [line["code"] for line in logs.of("rpc")] == ["NOT_FOUND"]
    assert logs.of("defect") == []
