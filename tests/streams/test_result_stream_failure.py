"""Result streams over a real server: failures, in-band and as status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from fakes.extraction_servicer import NUMBER, complete, progress, responses, start
from fakes.runtime import (
    Response,
    captured_logs,
    error_info,
    extraction_server,
    open_work,
    record,
    retry_info,
)
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_client.conformance import check_result_stream
from vidence_server.core.errors import DomainError, Reason

CONTENTS = "L898902C36UTO7408122F1204159"


@pytest.mark.requirement("R-ST3")
async def test_a_failure_is_told_in_the_stream_and_again_as_its_status() -> None:
    error = DomainError(
        Reason.IMAGE_CORRUPT, "The image is truncated.", metadata={"media_type": "image/jpeg"}
    )
    async with extraction_server(open_work(ending=(), error=error)) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
        assert running.stream_metric("vidence_streams_closed_total", reason="IMAGE_CORRUPT") == 1
    assert seen.kinds[-1] == "extraction_failed"
    assert seen.code is grpc.StatusCode.INVALID_ARGUMENT
    assert seen.messages[-1].extraction_failed.status == seen.status
    info = error_info(seen.status)
    assert (info.reason, info.domain) == ("IMAGE_CORRUPT", "vidence")
    assert dict(info.metadata) == {"media_type": "image/jpeg"}
    assert check_result_stream(seen.messages) == []


async def test_a_failure_that_may_pass_says_when_to_try_again() -> None:
    error = DomainError(
        Reason.QUEUE_FULL, "The queue is full.", metadata={"queue": "ocr"}, retry_after_s=0.25
    )
    async with extraction_server(open_work(ending=(), error=error)) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_info(seen.messages[-1].extraction_failed.status).retry_delay.ToMilliseconds() == 250


async def test_the_failure_inside_a_task_group_is_found() -> None:
    async def source(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        async def step() -> None:
            raise DomainError(Reason.PDF_ENCRYPTED, "The PDF asks for a password.")

        yield responses(start())[0]
        async with asyncio.TaskGroup() as group:
            group.create_task(step())

    async with extraction_server(source) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert error_info(seen.status).reason == "PDF_ENCRYPTED"


@pytest.mark.requirement("R-OP3", "R-EX9")
async def test_a_defect_is_told_as_internal_without_what_it_says() -> None:
    with captured_logs() as logs:
        async with extraction_server(open_work(ending=(), error=ValueError(CONTENTS))) as running:
            call = running.extraction.ExtractDocument(pb.ExtractDocumentRequest())
            seen = await record(call)
            request_id = dict(await call.trailing_metadata())["x-request-id"]
    assert seen.code is grpc.StatusCode.INTERNAL
    assert seen.messages[-1].extraction_failed.status == seen.status
    assert dict(error_info(seen.status).metadata) == {"request_id": request_id}
    assert CONTENTS not in str(seen)
    (entry,) = logs.of("source failed")
    assert entry["request_id"] == request_id
    assert "builtins.ValueError" in entry["traceback"]
    assert "fakes/runtime.py" in entry["traceback"]
    assert CONTENTS not in logs.text
    assert check_result_stream(seen.messages) == []


async def test_work_that_its_engine_cancels_fails_as_cancelled() -> None:
    async with extraction_server(open_work(ending=(), error=asyncio.CancelledError())) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert error_info(seen.status).reason == "CANCELLED"
    assert seen.messages[-1].extraction_failed.status == seen.status


@pytest.mark.requirement("R-ST3")
@pytest.mark.parametrize(
    "ending",
    [(), (complete(NUMBER), progress(1, 1)), (complete(NUMBER), complete(NUMBER))],
    ids=["no terminal message", "a message after it", "two of them"],
)
async def test_a_source_that_ends_wrongly_still_gives_one_terminal_message(
    ending: tuple[object, ...],
) -> None:
    with captured_logs() as logs:
        async with extraction_server(open_work(ending=ending)) as running:
            seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.kinds[-1] == "extraction_failed"
    assert seen.code is grpc.StatusCode.INTERNAL
    assert "SourceContractError" in logs.of("source failed")[0]["traceback"]
    assert check_result_stream(seen.messages) == []


@pytest.mark.requirement("R-ST3")
async def test_an_error_while_the_source_tidies_up_replaces_its_result() -> None:
    async def source(request: pb.ExtractDocumentRequest) -> AsyncIterator[Response]:
        try:
            for response in responses(start(), complete(NUMBER)):
                yield response
        finally:
            raise DomainError(Reason.MODEL_CORRUPT, "The weights changed.")

    async with extraction_server(source) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.kinds == ["connected", "extraction_start", "extraction_failed"]
    assert error_info(seen.status).reason == "MODEL_CORRUPT"


async def test_a_wrong_message_fails_its_stream_loudly_where_responses_are_validated() -> None:
    wrong = progress(1, 1)
    wrong.fraction = 7
    async with extraction_server(open_work(wrong)) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.code is grpc.StatusCode.INTERNAL
    assert "extraction_progress.fraction" in seen.status.message


async def test_a_wrong_message_passes_where_responses_are_not_validated() -> None:
    wrong = progress(1, 1)
    wrong.fraction = 7
    async with extraction_server(open_work(wrong), validate_responses=False) as running:
        seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest()))
    assert seen.code is grpc.StatusCode.OK
