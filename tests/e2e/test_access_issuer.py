"""Keys of tokens come from the issuer, by URL or file, again and again: what it withdraws opens nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from e2e.test_access_streams import TurnableClock, bus, end, read, refusal
from eventually import PATIENCE_S
from fakes.access import ISSUER, Issuer, KeyFile, bearer, guarded_server, unserved
from fakes.issuer_server import Published, publishing
from fakes.runtime import error_info
from vidence.batch.v1 import batch_service_pb2 as batch
from vidence.batch.v1 import batch_service_pb2_grpc as batch_grpc
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.access.tokens import url_of
from vidence_server.core.errors import DomainError
from vidence_server.runtime.access_settings import AccessSettings, JwtSettings

BATCH = "vidence.batch.v1.BatchService"
pytestmark = pytest.mark.requirement("R-OP5")


def publish(issuer: Issuer, where: Path | Published) -> None:
    if isinstance(where, Path):
        where.write_bytes(issuer.key_set())
    else:
        where.content = issuer.key_set()


@pytest.mark.parametrize("by", ["file", "url"])
async def test_a_key_that_the_issuer_withdraws_ends_the_streams_of_its_tokens(
    by: str, tmp_path: Path
) -> None:
    old, new = Issuer("old"), Issuer("new")
    with publishing(old.key_set()) as published:
        where: Path | Published = published if by == "url" else tmp_path / "jwks.json"
        publish(old, where)
        source = {"jwks_url": published.url} if by == "url" else {"jwks_file": str(where)}
        KeyFile(tmp_path / "keys.json").key("default")
        jwt = {**source, "issuer": ISSUER, "refresh_s": 0.05}
        async with bus(tmp_path, jwt=jwt) as (_, stub):
            token = old.token("default", "events.read")
            call = stub.Subscribe(pb.SubscribeRequest(), metadata=bearer(token))
            assert (await read(call)).control.HasField("connected")
            publish(new, where)
            last = await read(call)
            while last.control.HasField("heartbeat"):
                last = await read(call)
            assert last.control.disconnected.reason == stream.DISCONNECT_REASON_CREDENTIAL_EXPIRED
            assert await end(call) is grpc.StatusCode.OK
            refused = await refusal(stub.GetStatistics(pb.GetStatisticsRequest(), metadata=bearer(token)))
            assert error_info(refused).reason == "CREDENTIAL_INVALID"
            fresh = bearer(new.token("default", "events.read"))
            await stub.GetStatistics(pb.GetStatisticsRequest(), metadata=fresh)
        assert (published.asked > 1) == (by == "url")


async def test_a_call_is_cut_when_its_token_expires(tmp_path: Path) -> None:
    issuer, clock = Issuer(), TurnableClock()
    (tmp_path / "jwks.json").write_bytes(issuer.key_set())
    began = asyncio.Event()

    async def wait(requests: object, context: object) -> bytes:
        began.set()
        await asyncio.Event().wait()
        return b""

    access = AccessSettings(
        mode="on",
        jwt=JwtSettings(jwks_file=tmp_path / "jwks.json", issuer=ISSUER),
        check_period_s=0.05,
    )
    async with (
        guarded_server(access, {BATCH: unserved(BATCH, wait)}, guard_clock=clock) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        token = issuer.token("default", "batch.write")
        call = batch_grpc.BatchServiceStub(channel).UploadBatch(metadata=bearer(token))
        await call.write(batch.UploadBatchRequest(opening=batch.UploadOpening()))
        async with asyncio.timeout(PATIENCE_S):
            await began.wait()
        clock.ahead += timedelta(hours=2)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async with asyncio.timeout(PATIENCE_S):
                await call
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_an_answer_that_leads_into_the_open_is_not_followed() -> None:
    with publishing(Issuer().key_set()) as safe, publishing(b"") as leading:
        leading.location = safe.url
        assert url_of(leading.url)() == safe.content
        asked = safe.asked
        leading.location = "http://issuer.test/jwks.json"
        with pytest.raises(DomainError, match="cannot be fetched: ValueError"):
            url_of(leading.url)()
        assert safe.asked == asked
