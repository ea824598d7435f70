"""The server: health, reflection, where it listens, what it takes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from eventually import PATIENCE_S
from fakes.runtime import (
    SERVICE,
    RunningServer,
    error_info,
    extraction_server,
    open_work,
    record,
    retry_info,
    running_server,
    status_of,
)
from fakes.server_calls import failure, health
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.server import AddServicer, RpcServer
from vidence_server.runtime.server_options import server_options
from vidence_server.runtime.settings import ServerSettings

OTHER_SERVICE = "grpc.reflection.v1alpha.ServerReflection"

Health = health_pb2.HealthCheckResponse


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
