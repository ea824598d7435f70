"""The asynchronous client against a real server that plays scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from fakes import extraction_servicer as fake
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence_client import Client, ClientReason, RetryPolicy, ServerUnreachable, VidenceError
from vidence_client.channel import MESSAGE_LIMIT_BYTES
from vidence_client.conformance import check_result_stream
from vidence_client.extraction import Response

ONE_ATTEMPT = RetryPolicy(attempts=1)


async def read_all(servicer: fake.ScriptedExtraction) -> tuple[list[Response], VidenceError | None]:
    """Reads until the end; returns the messages and the error that ended them."""
    messages: list[Response] = []
    async with fake.serving(servicer) as address, Client(address, retry=ONE_ATTEMPT) as client:
        try:
            async with client.extraction.extract(b"picture") as stream:
                async for message in stream:
                    messages.append(message)
        except VidenceError as error:
            return messages, error
    return messages, None


@pytest.mark.requirement("R-ST1", "R-ST3", "R-EX1")
async def test_a_reading_arrives_message_by_message_and_keeps_its_guarantees() -> None:
    messages, error = await read_all(fake.ScriptedExtraction())
    assert error is None
    assert messages == fake.PASSPORT
    assert check_result_stream(messages) == []


@pytest.mark.requirement("R-EX1")
async def test_each_message_is_there_before_the_next_is_written() -> None:
    servicer = fake.ScriptedExtraction([*fake.PASSPORT[:4], fake.Hang()])
    async with fake.serving(servicer) as address, Client(address) as client:
        async with client.extraction.extract(b"picture") as stream:
            kinds = [(await anext(stream)).WhichOneof("payload") for _ in range(4)]
            assert stream.connected is not None
            assert stream.connected.heartbeat_period.seconds == 30
        await servicer.cancelled.wait()
    assert kinds == ["connected", "extraction_start", "document_type_detected", "extraction_field"]


async def test_the_request_says_what_was_asked(tmp_path: Path) -> None:
    servicer = fake.ScriptedExtraction()
    picture = tmp_path / "passport.jpg"
    picture.write_bytes(b"picture in a file")
    async with fake.serving(servicer) as address, Client(address) as client:
        stream = client.extraction.extract(
            picture, document_type="passport", pdf_page=2, heartbeat_period_s=1.5
        )
        async for _ in stream:
            pass
        await client.extraction.read(picture, document_type="visa")
    streamed, read = servicer.requests
    assert isinstance(streamed, service.ExtractDocumentRequest)
    assert streamed.content == b"picture in a file"
    assert (streamed.document_type, streamed.options.pdf_page) == ("passport", 2)
    assert streamed.options.heartbeat_period.ToMilliseconds() == 1500
    assert (read.content, read.document_type) == (b"picture in a file", "visa")
    assert not read.options.HasField("heartbeat_period")


@pytest.mark.requirement("R-ST3", "R-EX7")
@pytest.mark.parametrize("with_status", [True, False], ids=["then the status", "status lost on the way"])
async def test_a_failure_inside_the_stream_is_delivered_and_then_raised(with_status: bool) -> None:
    script = fake.CORRUPT_SCRIPT if with_status else fake.CORRUPT_SCRIPT[:2]
    messages, error = await read_all(fake.ScriptedExtraction(script))
    assert [message.WhichOneof("payload") for message in messages] == ["connected", "extraction_failed"]
    assert error is not None
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_CORRUPT")
    assert error.metadata == {"media_type": "image/jpeg"}
    assert error.request_id == (fake.REQUEST_ID if with_status else "")


async def test_a_status_without_a_message_becomes_an_error_with_its_details() -> None:
    status = fake.status(
        grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "invalid", violations={"document_type": "odd"}
    )
    messages, error = await read_all(fake.ScriptedExtraction([fake.Abort(status)]))
    assert messages == []
    assert error is not None
    assert [violation.field for violation in error.fields] == ["document_type"]
    assert error.request_id == fake.REQUEST_ID


@pytest.mark.requirement("R-ST1", "R-ST3")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        (fake.PASSPORT[:-1], "without a terminal message"),
        ([*fake.PASSPORT[:3], *fake.PASSPORT[4:]], "message 5 came after message 3"),
        ([fake.PASSPORT[0], fake.PASSPORT[0]], "message 1 came after message 1"),
        ([*fake.PASSPORT, *fake.PASSPORT[:1]], "after the terminal message"),
        (fake.responses(fake.start()), "did not begin with `connected`"),
        ([], "without a terminal message"),
    ],
    ids=["no end", "hole", "repeated", "after the end", "not connected", "nothing"],
)
async def test_a_stream_that_breaks_a_guarantee_raises(script: Sequence[fake.Step], message: str) -> None:
    _, error = await read_all(fake.ScriptedExtraction(script))
    assert error is not None
    assert error.reason == ClientReason.STREAM_BROKEN
    assert message in error.message


@pytest.mark.requirement("R-ST3")
async def test_a_silent_stream_is_dead_after_two_and_a_half_periods() -> None:
    servicer = fake.ScriptedExtraction([*fake.responses(fake.connected(0.05)), fake.Hang()])
    messages, error = await read_all(servicer)
    assert len(messages) == 1
    assert isinstance(error, ServerUnreachable)
    assert error.reason == ClientReason.STREAM_SILENT
    assert "0.125 s" in error.message


async def test_a_stream_that_is_complete_needs_no_status() -> None:
    script = fake.responses(fake.connected(0.05), fake.start(), fake.complete())
    messages, error = await read_all(fake.ScriptedExtraction([*script, fake.Hang()]))
    assert error is None
    assert messages == script


@pytest.mark.requirement("R-EX1")
async def test_cancelling_the_reading_task_cancels_the_call() -> None:
    servicer = fake.ScriptedExtraction([*fake.PASSPORT[:2], fake.Hang()])
    async with fake.serving(servicer) as address, Client(address) as client:

        async def read() -> None:
            async for _ in client.extraction.extract(b"picture"):
                pass

        task = asyncio.create_task(read())
        await servicer.hanging.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await servicer.cancelled.wait()


async def test_closing_from_another_task_ends_the_iteration() -> None:
    servicer = fake.ScriptedExtraction([*fake.PASSPORT[:2], fake.Hang()])
    async with fake.serving(servicer) as address, Client(address) as client:
        stream = client.extraction.extract(b"picture")
        waiting = asyncio.Event()

        async def read() -> list[Response]:
            messages = [await anext(stream), await anext(stream)]
            waiting.set()
            return messages + [message async for message in stream]

        task = asyncio.create_task(read())
        await waiting.wait()
        await stream.aclose()
        assert await task == fake.PASSPORT[:2]
        await servicer.cancelled.wait()


@pytest.mark.parametrize("streaming", [True, False])
async def test_closing_the_client_fails_what_still_runs(streaming: bool) -> None:
    servicer = fake.ScriptedExtraction([*fake.PASSPORT[:2], fake.Hang()])
    async with fake.serving(servicer) as address:
        client = Client(address)

        async def read() -> None:
            if streaming:
                async for _ in client.extraction.extract(b"hang"):
                    pass
            else:
                await client.extraction.read(b"hang")

        task = asyncio.create_task(read())
        await servicer.hanging.wait()
        await client.close()
        with pytest.raises(VidenceError, match="closed on this side"):
            await task


async def test_a_server_that_cancels_by_itself_is_an_error_not_a_cancellation() -> None:
    cancelled = fake.status(grpc.StatusCode.CANCELLED, "CANCELLED", "the engine ended")
    _, error = await read_all(fake.ScriptedExtraction([*fake.PASSPORT[:2], fake.Abort(cancelled)]))
    assert error is not None
    assert (error.reason, error.message) == ("CANCELLED", "the engine ended")


async def test_a_deadline_ends_the_stream() -> None:
    servicer = fake.ScriptedExtraction([*fake.PASSPORT[:2], fake.Hang()])
    async with fake.serving(servicer) as address, Client(address) as client:
        with pytest.raises(VidenceError) as raised:
            async for _ in client.extraction.extract(b"picture", timeout=0.2):
                pass
    assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_nothing_at_the_address_is_unreachable() -> None:
    async with fake.serving(fake.ScriptedExtraction()) as address:
        pass  # the port was free a moment ago
    async with Client(address, retry=ONE_ATTEMPT) as client:
        with pytest.raises(ServerUnreachable):
            await client.extraction.read(b"picture")
        with pytest.raises(ServerUnreachable):
            await anext(client.extraction.extract(b"picture"))


async def test_the_types_are_listed() -> None:
    async with fake.serving(fake.ScriptedExtraction()) as address, Client(address) as client:
        found = await client.extraction.list_document_types()
    assert [kind.key for kind in found] == ["passport", "text"]


@pytest.mark.requirement("R-EX7")
async def test_content_over_the_message_limit_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    servicer = fake.ScriptedExtraction()
    large = tmp_path / "large.bmp"
    with large.open("wb") as file:
        file.truncate(MESSAGE_LIMIT_BYTES)
    async with fake.serving(servicer) as address, Client(address) as client:
        for content in (large, bytes(MESSAGE_LIMIT_BYTES)):
            with pytest.raises(VidenceError) as raised:
                await client.extraction.read(content)
            assert raised.value.reason == ClientReason.MESSAGE_TOO_LARGE
        with pytest.raises(FileNotFoundError):
            await anext(client.extraction.extract(tmp_path / "absent.jpg"))
    assert servicer.requests == []
