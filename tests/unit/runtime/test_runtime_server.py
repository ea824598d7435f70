from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from eventually import PATIENCE_S
from fakes.extraction_servicer import duration
from fakes.runtime import (
    SERVICE,
    RunningServer,
    bad_request,
    captured_logs,
    error_info,
    extraction_server,
    open_work,
    record,
    retry_info,
    running_server,
    status_of,
)
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.server import AddServicer, RpcServer
from vidence_server.runtime.server_options import server_options
from vidence_server.runtime.settings import ServerSettings

READ = f"/{SERVICE}/ReadDocument"
OTHER_SERVICE = "grpc.reflection.v1alpha.ServerReflection"
TRACE = "0af7651916cd43dd8448eb211c80319c"
Health = health_pb2.HealthCheckResponse


async def health(running: RunningServer, service: str = SERVICE) -> int:
    stub: Any = health_pb2_grpc.HealthStub(running.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    status: int = answer.status
    return status


async def failure(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


@pytest.mark.requirement("R-OP3")
async def test_health_serves_when_the_service_is_ready_and_not_any_more_when_it_drains() -> None:
    async with extraction_server(open_work(), ready=False, drain_accept_s=30) as running:
        assert [await health(running), await health(running, "")] == [Health.NOT_SERVING] * 2
        await running.server.mark_ready(SERVICE)
        assert [await health(running), await health(running, "")] == [Health.SERVING] * 2
        draining = asyncio.create_task(running.server.drain(0))
        await asyncio.sleep(0)
        assert [await health(running), await health(running, "")] == [Health.NOT_SERVING] * 2
        draining.cancel()


@pytest.mark.requirement("R-OP3")
async def test_the_server_as_a_whole_serves_once_every_service_is_ready() -> None:
    def services(server: RpcServer) -> Mapping[str, AddServicer]:
        return {SERVICE: lambda _: None, OTHER_SERVICE: lambda _: None}

    async with running_server(services, ready=False, reflection=False) as running:
        await running.server.mark_ready(SERVICE)
        assert await health(running) == Health.SERVING
        assert await health(running, "") == Health.NOT_SERVING
        await running.server.mark_ready(OTHER_SERVICE)
        assert await health(running, "") == Health.SERVING


async def test_the_health_of_a_service_that_is_not_here_is_not_found() -> None:
    async with extraction_server(open_work()) as running:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await health(running, "vidence.face.v1.FaceService")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.requirement("R-OP3")
async def test_calls_before_the_service_is_ready_are_told_to_come_back() -> None:
    async with extraction_server(open_work(), ready=False, retry_delay_s=2) as running:
        error = await failure(running.extraction.ReadDocument(pb.ReadDocumentRequest()))
        stream = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
        assert running.stream_metric("vidence_streams_refused_total", reason="NOT_READY") == 1
    assert error.code() is stream.code is grpc.StatusCode.UNAVAILABLE
    assert error_info(status_of(error)).reason == error_info(stream.status).reason == "NOT_READY"
    assert retry_info(status_of(error)).retry_delay.seconds == 2
    assert stream.messages == []


async def listed_services(running: RunningServer) -> list[str]:
    channel: Any = running.channel  # the stubs of reflection know the synchronous channel only
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    names: list[str] = []
    async for answer in stub.ServerReflectionInfo(iter([request])):
        names += [service.name for service in answer.list_services_response.service]
    return sorted(names)


@pytest.mark.requirement("R-OP3")
async def test_reflection_lists_the_services() -> None:
    async with extraction_server(open_work()) as running:
        assert await listed_services(running) == [
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
            SERVICE,
        ]


async def test_reflection_can_be_turned_off() -> None:
    async with extraction_server(open_work(), reflection=False) as running:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await listed_services(running)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


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
    assert [line["code"] for line in logs.of("rpc")] == ["NOT_FOUND"]
    assert logs.of("defect") == []


async def test_a_server_listens_on_a_socket_file(tmp_path: Path) -> None:
    async with extraction_server(open_work(), host=f"unix:{tmp_path / 'v.sock'}") as running:
        assert running.server.port == 0
        assert running.server.address == f"unix:{tmp_path / 'v.sock'}"
        answer = await running.extraction.ListDocumentTypes(pb.ListDocumentTypesRequest())
    assert len(answer.document_types) == 1


async def test_a_port_in_use_is_a_wrong_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(DomainError) as error:
        async with extraction_server(open_work(), port=taken.getsockname()[1]):
            pass
    assert error.value.reason is Reason.CONFIGURATION_INVALID


async def test_services_are_registered_before_the_start() -> None:
    async with extraction_server(open_work()) as running:
        with pytest.raises(RuntimeError, match="before"):
            running.server.register("late", lambda _: None)


async def test_messages_over_the_limit_are_refused() -> None:
    async with extraction_server(open_work(), max_message_bytes=2048) as running:
        error = await failure(running.extraction.ReadDocument(pb.ReadDocumentRequest(content=bytes(4096))))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.requirement("R-ST7")
def test_the_options_look_for_frozen_peers_by_ping_as_well_as_by_keepalive() -> None:
    options = dict(server_options(ServerSettings(keepalive_time_s=20, keepalive_timeout_s=10)))
    assert options["grpc.keepalive_time_ms"] == 20_000
    assert options["grpc.keepalive_timeout_ms"] == options["grpc.http2.ping_timeout_ms"] == 10_000
    assert options["grpc.keepalive_permit_without_calls"] == 1
    assert options["grpc.so_reuseport"] == 0
    assert "grpc.max_connection_age_ms" not in options


def test_the_options_renew_aged_connections_where_asked() -> None:
    options = dict(server_options(ServerSettings(max_connection_age_s=60, max_connection_age_grace_s=5)))
    assert options["grpc.max_connection_age_ms"] == 60_000
    assert options["grpc.max_connection_age_grace_ms"] == 5_000


@pytest.mark.requirement("R-ST7")
async def test_watch_streams_and_result_streams_have_one_grace_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with extraction_server(open_work()) as running:

        async def as_long_as_the_others(_grace_s: float) -> None:
            await running.server.result_streams.draining.wait()

        monkeypatch.setattr(running.server.watch_streams, "drain", as_long_as_the_others)
        async with asyncio.timeout(PATIENCE_S):
            await running.server.drain(0)
