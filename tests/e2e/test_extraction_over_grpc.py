"""Real documents through the real server: what is promised in the proto comment of ExtractionService."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from random import Random

import grpc
import pytest
from PIL import Image

from e2e_suite import LiveSuite
from fakes.bad_files import CASES, Case
from rendering.documents import render_document
from rendering.pages import render_page
from rendering.people import random_person
from vidence.extraction.v1 import document_pb2
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_client import Client, VidenceError
from vidence_client.conformance import check_isolated, check_result_stream

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
TRUTH = {
    "person.surname": "FALKENBERG",
    "person.given_names": "ELOWEN MIREI",
    "person.birth_date": "1991-03-27",
    "person.nationality": "UTO",
    "person.sex": "F",
    "document.number": "X4093218K",
    "document.expiry_date": "2031-09-14",
}


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


@pytest.fixture
async def client(suite: LiveSuite) -> AsyncIterator[Client]:
    async with Client(suite.address) as opened:
        yield opened


async def messages_of(
    client: Client, content: bytes, document_type: str = ""
) -> list[pb.ExtractDocumentResponse]:
    async with client.extraction.extract(content, document_type=document_type) as stream:
        return [message async for message in stream]


def document_of(messages: list[pb.ExtractDocumentResponse]) -> document_pb2.Document:
    return messages[-1].extraction_complete.document


def values(document: document_pb2.Document) -> dict[str, str]:
    return {field.key: field.value for field in document.fields if field.index == 0}


@pytest.mark.requirement("R-EX1", "R-EX2", "R-EX3", "R-ST1", "R-ST2", "R-ST3")
@pytest.mark.parametrize(
    ("sample", "key"), [("passport", "passport"), ("visa", "visa"), ("id-card", "id_card")]
)
async def test_a_document_is_recognised_and_read(client: Client, sample: str, key: str) -> None:
    messages = await messages_of(client, (SAMPLES / f"{sample}.jpg").read_bytes())
    assert check_result_stream(messages) == []
    document = document_of(messages)
    assert document.document_type == key
    assert TRUTH.items() <= values(document).items()
    checked = {field.key: field.validation.verdict for field in document.fields}
    for proven in ("document.number", "person.birth_date", "document.expiry_date"):
        assert checked[proven] == document_pb2.VALIDATION_VERDICT_VALID


@pytest.mark.requirement("R-EX1", "R-EX2")
async def test_a_page_of_text_is_read_in_order_line_by_line(client: Client, page: bytes) -> None:
    messages = await messages_of(client, page, "text")
    assert check_result_stream(messages) == []
    lines = [m.extraction_field.field for m in messages if m.HasField("extraction_field")]
    assert [line.index for line in lines] == list(range(1, 13))
    assert lines[-1].value == "Nothing further to report."


@pytest.mark.requirement("R-EX1")
async def test_the_first_field_leaves_before_the_last_line_is_read(client: Client, page: bytes) -> None:
    messages = await messages_of(client, page, "text")
    kinds = [message.WhichOneof("payload") for message in messages]
    assert kinds.index("extraction_field") < kinds.index("extraction_progress") < len(kinds) - 20
    first, last = (messages[i].emit_time.ToNanoseconds() for i in (kinds.index("extraction_field"), -1))
    assert first < last


@pytest.mark.requirement("R-EX1")
async def test_the_unary_twin_gives_the_same_document(client: Client, passport: bytes) -> None:
    streamed = document_of(await messages_of(client, passport))
    answered = await client.extraction.read(passport)
    assert answered.document == streamed
    stages = [stage.stage for stage in answered.latency.stages]
    assert stages == [pb.EXTRACTION_STAGE_DECODE, pb.EXTRACTION_STAGE_DETECT, pb.EXTRACTION_STAGE_RECOGNISE,
                      pb.EXTRACTION_STAGE_INTERPRET]  # fmt: skip
    assert (
        answered.latency.first_field_duration.ToNanoseconds()
        < answered.latency.total_duration.ToNanoseconds()
    )


@pytest.mark.requirement("R-EX2")
async def test_the_types_are_listed_with_their_plans(client: Client) -> None:
    types = await client.extraction.list_document_types()
    keys = ["decklist", "driving_licence", "id_card", "passport", "receipt", "text", "visa"]
    assert [known.key for known in types] == keys
    assert all(known.planned_fields and known.title and known.description for known in types)


@pytest.mark.requirement("R-EX6")
async def test_sixteen_documents_in_flight_give_what_they_give_one_by_one(client: Client) -> None:
    documents = [
        encoded(
            render_document(random_person(Random(i), date(2026, 11, 21)), layout, px_per_mm=6).image, "JPEG"
        )
        for i, layout in enumerate(["TD3", "MRV-A", "MRV-B", "TD1", "TD2"] * 2)
    ]
    documents += [encoded(render_page((f"Page number {i}", f"holds line {i * 7}")).image) for i in range(6)]
    alone = [await messages_of(client, content) for content in documents]
    together = await asyncio.gather(*(messages_of(client, content) for content in documents))
    for one, same in zip(alone, together, strict=True):
        assert check_result_stream(same) == []
        assert document_of(same).SerializeToString(deterministic=True) == document_of(one).SerializeToString(
            deterministic=True
        )
        start = next(m.extraction_start for m in same if m.HasField("extraction_start"))
        keys = {field.key for field in document_of(one).fields}
        assert check_isolated(same, extraction_id=start.extraction_id, keys=keys) == []


@pytest.mark.requirement("R-EX7")
@pytest.mark.parametrize("case", [case for case in CASES if case.page > 0], ids=lambda case: case.name)
async def test_a_bad_file_ends_the_stream_with_its_reason(strict_suite: LiveSuite, case: Case) -> None:
    content = case.make()
    request = pb.ExtractDocumentRequest(content=content, options=pb.ExtractionOptions(pdf_page=case.page))
    async with grpc.aio.insecure_channel(strict_suite.address) as channel:
        recorded: list[pb.ExtractDocumentResponse] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for message in pb_grpc.ExtractionServiceStub(channel).ExtractDocument(request):
                recorded.append(message)
    assert check_result_stream(recorded) == []
    assert [message.WhichOneof("payload") for message in recorded] == ["connected", "extraction_failed"]
    assert recorded[-1].extraction_failed.status.code == caught.value.code().value[0]
    async with Client(strict_suite.address) as client:
        with pytest.raises(VidenceError) as unary:
            await client.extraction.read(content, pdf_page=case.page)
    assert (unary.value.reason, unary.value.code) == (str(case.reason), caught.value.code())


@pytest.mark.requirement("R-EX7")
@pytest.mark.parametrize("size", [(8, 8), (1200, 60), (900, 900)])
async def test_an_empty_page_is_a_result_without_fields(client: Client, size: tuple[int, int]) -> None:
    blank = encoded(Image.new("RGB", size, "white"))
    for key in ("", "text", "passport"):
        messages = await messages_of(client, blank, key)
        assert check_result_stream(messages) == []
        assert list(document_of(messages).fields) == []
        assert document_of(messages).document_type == (key or "text")


@pytest.mark.requirement("R-EX1", "R-EX7")
@pytest.mark.parametrize(
    ("document_type", "reason"), [("tram_ticket", "DOCUMENT_TYPE_UNKNOWN"), ("Not A Key", "REQUEST_INVALID")]
)
async def test_a_wrong_type_is_told(client: Client, passport: bytes, document_type: str, reason: str) -> None:
    with pytest.raises(VidenceError) as caught:
        await client.extraction.read(passport, document_type=document_type)
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.fields] == ["document_type"]


@pytest.mark.requirement("R-EX9", "R-OP3")
async def test_nothing_that_was_read_reaches_the_logs(
    client: Client, suite: LiveSuite, passport: bytes
) -> None:
    document = document_of(await messages_of(client, passport))
    numbers = {"timestamp", "duration_s", "request_id", "connection_id"}  # may hold any digits by chance
    logged = "\n".join(str({key: entry[key] for key in entry.keys() - numbers}) for entry in suite.logs)
    assert "'event': 'rpc'" in logged
    for field in document.fields:
        for text in (field.value, field.raw_value):
            assert len(text) < 5 or text not in logged, field.key
