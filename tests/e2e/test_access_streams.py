"""A stream ends when the credential that opened it does; callers have limits; calls are written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.access import KeyFile, bearer, guarded_server, suite_settings, unserved
from fakes.runtime import captured_logs, error_info, retry_info, status_of
from vidence.batch.v1 import batch_service_pb2 as batch
from vidence.batch.v1 import batch_service_pb2_grpc as batch_grpc
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.core.clock import SystemClock
from vidence_server.runtime.access_settings import AccessSettings
from vidence_server.suite.opening import Suite, open_suite

BATCH = "vidence.batch.v1.BatchService"


@asynccontextmanager
async def bus(folder: Path, **access: Any) -> AsyncIterator[tuple[Suite, pb_grpc.EventServiceAsyncStub]]:
    """An event service that checks credentials."""
    settings = suite_settings(folder, keys_file=folder / "keys.json", **access)
    async with open_suite(settings, ("event",)) as suite:
        await suite.warm_up()
        async with grpc.aio.insecure_channel(suite.server.address) as channel:
            yield suite, pb_grpc.EventServiceStub(channel)


@pytest.mark.requirement("R-OP5")
async def test_a_watch_stream_is_disconnected_when_its_key_is_revoked(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    mine, other = keys.key("default", "events.read"), keys.key("default", "events.*")
    async with bus(tmp_path) as (_, stub):
        call = stub.Subscribe(pb.SubscribeRequest(), metadata=bearer(mine))
        staying = stub.Subscribe(pb.SubscribeRequest(), metadata=bearer(other))
        assert (await read(call)).control.HasField("connected")
        assert (await read(staying)).control.HasField("connected")
        keys.revoke(mine)
        last = await read(call)
        assert last.control.disconnected.reason == stream.DISCONNECT_REASON_CREDENTIAL_EXPIRED
        assert await end(call) is grpc.StatusCode.OK
        # The other one goes on.
        await stub.Publish(request("a"), metadata=bearer(other))
        assert (await read(staying)).events[0].id == "a"
        staying.cancel()


@pytest.mark.requirement("R-OP5")
async def test_a_result_stream_fails_when_its_key_is_revoked(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("default", "events.publish")
    keys.key("default")
    async with bus(tmp_path) as (_, stub):
        call = stub.PublishStream(metadata=bearer(text))
        assert (await read(call)).HasField("connected")
        keys.revoke(text)
        messages = [await read(call)]
        while not messages[-1].HasField("publish_failed"):
            assert messages[-1].HasField("heartbeat")
            messages.append(await read(call))
        assert messages[-1].publish_failed.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
        assert await end(call) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_an_upload_is_cut_when_its_key_ends(how: str, tmp_path: Path) -> None:
    keys, clock = KeyFile(tmp_path / "keys.json"), TurnableClock()
    text = keys.key("default", "batch.write", life_s=3600)
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(requests: AsyncIterator[object], context: object) -> bytes:
        try:
            async for _ in requests:
                began.set()
        finally:
            ended.set()
        return b""

    access = AccessSettings(mode="on", keys_file=keys.path, check_period_s=0.05)
    async with (
        guarded_server(access, {BATCH: unserved(BATCH, wait)}, guard_clock=clock) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        call = batch_grpc.BatchServiceStub(channel).UploadBatch(metadata=bearer(text))
        await call.write(batch.UploadBatchRequest(opening=batch.UploadOpening()))
        async with asyncio.timeout(PATIENCE_S):
            await began.wait()
        if how == "revoked":
            keys.revoke(text)
        else:
            clock.ahead = timedelta(hours=2)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async with asyncio.timeout(PATIENCE_S):
                await call
        assert error_info(status_of(failure.value)).reason == "CREDENTIAL_EXPIRED"
        assert ended.is_set()


@pytest.mark.requirement("R-OP5")
async def test_a_reader_that_stops_is_cut_off_too(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text, other = keys.key("default", "events.read"), keys.key("default", "events.*")
    async with bus(tmp_path) as (suite, stub):
        call = stub.Subscribe(pb.SubscribeRequest(), metadata=bearer(text))
        await read(call)
        # More than the windows of the connection hold, and nobody reads.
        for number in range(40):
            await stub.Publish(request(f"{number}", size=60_000, count=8), metadata=bearer(other))
        keys.revoke(text)
        await eventually(lambda: suite.server.watch_streams.statistics().open == 0)
        call.cancel()


@pytest.mark.requirement("R-OP5")
async def test_a_caller_has_a_rate_and_the_next_call_says_when(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    mine, other = keys.key("default"), keys.key("default")
    # So slow that nothing comes back within the test, on any machine.
    async with bus(tmp_path, calls_per_s=0.001, calls_burst=3) as (_, stub):
        for _ in range(3):
            await stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(mine))
        status = await refusal(stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(mine)))
        assert error_info(status).reason == "RATE_LIMITED"
        assert retry_info(status).retry_delay.seconds > 0
        await stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(other))


@pytest.mark.requirement("R-OP5")
async def test_a_caller_has_so_many_calls_open_and_gets_a_place_back(tmp_path: Path) -> None:
    text = KeyFile(tmp_path / "keys.json").key("default")
    async with bus(tmp_path, open_calls=2) as (suite, stub):
        calls = [stub.Subscribe(pb.SubscribeRequest(), metadata=bearer(text)) for _ in range(2)]
        for call in calls:
            await read(call)
        status = await refusal(stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(text)))
        assert error_info(status).reason == "CALL_LIMIT"
        assert error_info(status).metadata["limit"] == "2"
        calls[0].cancel()
        await eventually(lambda: suite.server.watch_streams.statistics().open == 1)
        await stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(text))
        calls[1].cancel()


@pytest.mark.requirement("R-OP5")
async def test_each_call_is_written_down_without_its_credential(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("default", "events.publish")
    with captured_logs() as logs:
        async with bus(tmp_path) as (_, stub):
            await stub.Publish(request("a"), metadata=bearer(text))
            await refusal(stub.ListEvents(pb.ListEventsRequest(), metadata=bearer(text)))
            await refusal(stub.ListEvents(pb.ListEventsRequest()))
    told = [(line["principal"], line["method"], line["outcome"]) for line in logs.of("audit")]
    name = f"key_{keys.keys[0].key_id}"
    assert told == [
        (name, "Publish", "OK"),
        (name, "ListEvents", "SCOPE_MISSING"),
        ("", "ListEvents", "CREDENTIAL_MISSING"),
    ]
    assert text.partition(".")[2] not in logs.text


class TurnableClock(SystemClock):
    """The machine's clock, which a test sets ahead."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def read(call: Any) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        message = await call.read()
    assert message is not grpc.aio.EOF, await call.code()
    return message


async def end(call: Any) -> grpc.StatusCode:
    async with asyncio.timeout(PATIENCE_S):
        try:
            assert await call.read() is grpc.aio.EOF
        except grpc.aio.AioRpcError as error:
            return error.code()
        return await call.code()  # type: ignore[no-any-return]  # a call of any kind


async def refusal(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return status_of(failure.value)


def request(event_id: str, *, size: int = 1, count: int = 1) -> pb.PublishRequest:
    asked = pb.PublishRequest()
    for number in range(count):
        opaque = event_pb2.OpaqueData(content_type="application/octet-stream", content=b"x" * size)
        name = event_id if count == 1 else f"{event_id}.{number}"
        asked.events.add(id=name, source="test", type="thing.happened", opaque=opaque)
    return asked
