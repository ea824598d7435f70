"""The image of an item, for as long as it is kept."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import grpc
import pytest

from eventually import eventually
from fakes.batch import JPEG, BatchServer, FakeReader, batch_server, image
from fakes.runtime import error_info, status_of
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence_client import Client

pytestmark = pytest.mark.requirement("R-BA4")

LARGE = batch_pb2.BatchImage(content=JPEG + b"page " + b"x" * 600_000, file_name="large.jpg")


async def shown(server: BatchServer, batch_id: str, index: int) -> list[pb.GetBatchItemImageResponse]:
    request = pb.GetBatchItemImageRequest(batch_id=batch_id, index=index)
    return [message async for message in server.batches.GetBatchItemImage(request)]


async def refused(server: BatchServer, batch_id: str, index: int) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await shown(server, batch_id, index)
    return str(error_info(status_of(raised.value)).reason)


async def test_an_image_comes_in_pieces_before_and_after_it_was_read(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with batch_server(tmp_path, reader) as server:
        batch = await server.submit(LARGE)
        before = await shown(server, batch.batch_id, 0)
        reader.gate.set()
        await server.ended(batch.batch_id)
        after = await shown(server, batch.batch_id, 0)
    for messages in (before, after):
        told = [message for message in messages if not message.HasField("heartbeat")]
        assert [message.WhichOneof("payload") for message in told] == [
            "connected",
            "image_start",
            "image_chunk",
            "image_chunk",
            "image_chunk",
            "image_complete",
        ]
        start = told[1].image_start
        assert (start.file_name, start.media_type) == ("large.jpg", "image/jpeg")
        assert start.size_bytes == len(LARGE.content)
        assert start.sha256 == hashlib.sha256(LARGE.content).hexdigest()
        pieces = [message.image_chunk for message in told[2:-1]]
        assert b"".join(piece.data for piece in pieces) == LARGE.content
        assert [piece.offset for piece in pieces] == [0, 262_144, 524_288]


async def test_the_image_of_an_item_that_was_read_goes_after_its_time_and_the_rest_stays(
    tmp_path: Path,
) -> None:
    async with batch_server(tmp_path, image_retention_s=0.5, sweep_period_s=0.05) as server:
        batch = await server.submit(image("one"), image("bad two"))
        await server.ended(batch.batch_id)
        async with asyncio.timeout(60):
            while len(list((tmp_path / "batch-images").iterdir())) > 1:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.02)
        assert await refused(server, batch.batch_id, 0) == "BLOB_NOT_FOUND"
        assert (await shown(server, batch.batch_id, 1))[-1].HasField("image_complete")
        listed = await server.batches.ListBatchItems(pb.ListBatchItemsRequest(batch_id=batch.batch_id))
        assert listed.items[0].document.fields[0].value == "one"
        assert not listed.items[0].HasField("image_expire_time")


async def test_nothing_is_kept_of_an_image_where_the_settings_say_so(tmp_path: Path) -> None:
    async with batch_server(tmp_path, image_retention_s=0) as server:
        batch = await server.submit(image("one"))
        await server.ended(batch.batch_id)
        await eventually(lambda: not list((tmp_path / "batch-images").iterdir()))
        assert await refused(server, batch.batch_id, 0) == "BLOB_NOT_FOUND"


async def test_what_is_not_there_is_refused_with_its_reason(tmp_path: Path) -> None:
    refusal = batch_pb2.BatchImage(content=b"text", file_name="c.txt")
    async with batch_server(tmp_path) as server:
        batch = await server.submit(refusal)
        assert await refused(server, batch.batch_id, 0) == "BLOB_NOT_FOUND"
        assert await refused(server, batch.batch_id, 1) == "BATCH_ITEM_NOT_FOUND"
        assert await refused(server, "bat_0", 0) == "BATCH_NOT_FOUND"


async def test_the_sdk_gives_the_bytes(tmp_path: Path) -> None:
    async with batch_server(tmp_path) as server, Client(server.server.address) as client:
        batch = await client.batches.upload([LARGE.content])
        assert await client.batches.image(batch.batch_id, 0) == LARGE.content
