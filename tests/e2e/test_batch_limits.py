"""One over each limit is refused before work, and bad files leave the good ones alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.bad_files import CASES, LIMITS, noise, saved
from fakes.batch import FakeReader, batch_server, image, images
from fakes.runtime import error_info, status_of
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.extraction.v1 import document_pb2
from vidence_server.core.errors import Reason
from vidence_server.vision.decode import ImageDecoder


class DecodingReader(FakeReader):
    """Decodes what it is given, as the pipeline's first step does."""

    async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
        await asyncio.to_thread(ImageDecoder(LIMITS).decode, content, pdf_page=pdf_page)
        return document_pb2.Document(document_type="text", type_confidence=1).SerializeToString()


@pytest.mark.requirement("R-BA1")
async def test_each_bad_file_has_its_reason_and_the_good_ones_are_read(tmp_path: Path) -> None:
    # A page below 1 breaks a rule of the request, and is no fault of a file.
    cases = [case for case in CASES if case.page >= 1]
    wanted = [
        batch_pb2.BatchImage(content=case.make(), file_name=case.name, pdf_page=case.page) for case in cases
    ]
    wanted.insert(3, batch_pb2.BatchImage(content=saved(noise(), "JPEG"), file_name="good.jpg"))
    async with batch_server(
        tmp_path, DecodingReader(), concurrency=4, max_image_bytes=LIMITS.max_bytes
    ) as server:
        answer = await server.batches.ReadBatch(pb.ReadBatchRequest(images=wanted))
    assert len(cases) > 20
    outcomes = list(answer.outcomes)
    assert outcomes.pop(3).HasField("document")
    assert (answer.statistics.succeeded, answer.statistics.failed) == (1, len(cases))
    for case, outcome in zip(cases, outcomes, strict=True):
        assert error_info(outcome.error).reason in _reasons_of(case), case.name


def _reasons_of(case: Any) -> set[str]:
    # The door knows less than the decoder: what it cannot name it calls unsupported.
    return {str(case.reason), str(Reason.IMAGE_UNSUPPORTED)}


@pytest.mark.requirement("R-BA4")
@pytest.mark.parametrize(
    ("settings", "reason", "actual"),
    [
        ({"max_images": 2}, "BATCH_TOO_MANY_IMAGES", "3"),
        ({"max_batch_bytes": 26}, "BATCH_TOO_LARGE", "27"),
        ({"max_waiting_items": 2}, "QUEUE_FULL", None),
    ],
)
async def test_a_batch_one_over_a_limit_is_refused_before_work(
    tmp_path: Path, settings: dict[str, Any], reason: str, actual: str | None
) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader, **settings) as server:
        call = server.batches.ProcessBatch(pb.ProcessBatchRequest(images=images(3)))
        messages = []
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for message in call:
                messages.append(message)
        info = error_info(status_of(refused.value))
        assert info.reason == reason
        assert error_info(messages[-1].batch_failed.status).reason == reason
        assert actual is None or info.metadata["actual"] == actual
        one_less = await server.batches.ReadBatch(pb.ReadBatchRequest(images=images(2)))
        assert one_less.statistics.succeeded == 2
    assert set(reader.began) == {"page 0", "page 1"}
    assert not list((tmp_path / "batch-images").iterdir())


@pytest.mark.requirement("R-BA4")
async def test_an_image_one_over_the_limit_is_refused_at_the_door(tmp_path: Path) -> None:
    reader = FakeReader()
    async with batch_server(tmp_path, reader, max_image_bytes=9) as server:
        batch = (await server.batches.CreateBatch(pb.CreateBatchRequest())).batch
        large = pb.AddBatchItemRequest(batch_id=batch.batch_id, index=0, image=image("1234567"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.batches.AddBatchItem(large)
        info = error_info(status_of(refused.value))
        assert info.reason == "IMAGE_TOO_LARGE"
        assert (info.metadata["limit"], info.metadata["actual"]) == ("9", "10")
        read = await server.batches.ReadBatch(pb.ReadBatchRequest(images=[image("1234567"), image("123456")]))
        assert error_info(read.outcomes[0].error).reason == "IMAGE_TOO_LARGE"
        assert read.outcomes[1].HasField("document")
    assert set(reader.began) == {"123456"}


@pytest.mark.requirement("R-BA2")
async def test_adding_is_idempotent_by_index_and_content(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        batch = (await server.batches.CreateBatch(pb.CreateBatchRequest(idempotency_key="k"))).batch
        again = (await server.batches.CreateBatch(pb.CreateBatchRequest(idempotency_key="k"))).batch
        assert again == batch

        async def add(text: str) -> pb.AddBatchItemResponse:
            request = pb.AddBatchItemRequest(batch_id=batch.batch_id, index=4, image=image(text))
            return await server.batches.AddBatchItem(request)

        first, second = await add("one"), await add("one")
        assert (first.repeated, second.repeated) == (False, True)
        assert first.item == second.item
        with pytest.raises(grpc.aio.AioRpcError) as other:
            await add("two")
        assert error_info(status_of(other.value)).reason == "BATCH_ITEM_CONFLICT"
        both = await asyncio.gather(*(server.submit(image("x"), start=False) for _ in range(2)))
        assert both[0].batch_id != both[1].batch_id
        started = (await server.batches.StartBatch(pb.StartBatchRequest(batch_id=batch.batch_id))).batch
        assert started.counts.total == 1
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await add("three")
        assert error_info(status_of(late.value)).reason in {"BATCH_ITEM_CONFLICT", "BATCH_WRONG_STATE"}
    assert len(list((tmp_path / "batch-images").iterdir())) == 3


@pytest.mark.requirement("R-BA2")
@pytest.mark.parametrize(
    ("rpc", "request_", "reason"),
    [
        ("GetBatch", pb.GetBatchRequest(batch_id="bat_0"), "BATCH_NOT_FOUND"),
        ("StartBatch", pb.StartBatchRequest(batch_id="bat_0"), "BATCH_NOT_FOUND"),
        ("ListBatchItems", pb.ListBatchItemsRequest(batch_id="bat_0"), "BATCH_NOT_FOUND"),
        ("ListBatches", pb.ListBatchesRequest(page_token="x"), "PAGE_TOKEN_INVALID"),  # noqa: S106  # no secret
    ],
)
async def test_what_is_not_there_is_refused(tmp_path: Path, rpc: str, request_: Any, reason: str) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(server.batches, rpc)(request_)
    assert error_info(status_of(refused.value)).reason == reason


@pytest.mark.requirement("R-BA2")
async def test_what_the_state_does_not_allow_is_refused(tmp_path: Path) -> None:
    async with batch_server(tmp_path, workers=0) as server:
        batch = await server.submit(image("one"))
        empty = (await server.batches.CreateBatch(pb.CreateBatchRequest())).batch
        for rpc, request_, reason in (
            ("DeleteBatch", pb.DeleteBatchRequest(batch_id=batch.batch_id), "BATCH_WRONG_STATE"),
            ("RetryItems", pb.RetryItemsRequest(batch_id=batch.batch_id), "BATCH_WRONG_STATE"),
            ("StartBatch", pb.StartBatchRequest(batch_id=empty.batch_id), "BATCH_EMPTY"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await getattr(server.batches, rpc)(request_)
            assert error_info(status_of(refused.value)).reason == reason
        await server.batches.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id))
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await server.batches.RetryItems(pb.RetryItemsRequest(batch_id=batch.batch_id, indexes=[7]))
        assert error_info(status_of(unknown.value)).reason == "BATCH_ITEM_NOT_FOUND"
        retried = await server.batches.RetryItems(pb.RetryItemsRequest(batch_id=batch.batch_id))
        assert retried.batch.counts.queued == 1
