"""JSON, NDJSON and SSE through a real Envoy: what `curl` and an `EventSource` see."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from e2e.bridge_calls import NDJSON, Curl, publish, read, reason
from e2e.bridge_door import Door, EventSource
from e2e_suite import LiveSuite
from vidence.extraction.v1 import extraction_service_pb2 as extraction
from vidence.extraction.v1 import extraction_service_pb2_grpc as extraction_grpc

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"


@pytest.mark.requirement("R-WE1", "R-WE2")
async def test_ndjson_arrives_message_by_message_with_curl(door: Door, suite: LiveSuite) -> None:
    curl = Curl(f"{door.url}/v1/events/stream?filter.types=curl.*")
    try:
        assert "connected" in json.loads(curl.line())["control"]
        for number in range(3):
            # The next is published only when the one before was read.
            [cursor] = publish(suite, f"curl.{number}")
            message = json.loads(curl.line())
            assert message["events"][0]["type"] == f"curl.{number}"
            assert message["cursor"] == cursor
    finally:
        curl.close()


@pytest.mark.requirement("R-WE1", "R-WE2")
async def test_sse_arrives_message_by_message_with_curl(door: Door, suite: LiveSuite) -> None:
    accept = "Accept: text/event-stream"
    curl = Curl("-H", accept, f"{door.url}/v1/events/stream?filter.types=sse.*")
    try:
        assert curl.line() == "retry: 3000"
        assert curl.until("event:") == "event: connected"
        for number in range(3):
            [cursor] = publish(suite, f"sse.{number}")
            assert curl.until("id:") == f"id: {cursor}"
            assert curl.line() == f"event: sse.{number}"
            data = json.loads(curl.line().removeprefix("data: "))
            assert {"session_id", "timestamp", "sequence", "type", "data"} <= set(data)
            assert data["data"]["source"] == "till"
    finally:
        curl.close()


@pytest.mark.requirement("R-WE1", "R-ST4")
async def test_an_event_source_resumes_in_the_middle_of_a_message_without_loss_or_repetition(
    door: Door, suite: LiveSuite
) -> None:
    source = EventSource("/v1/events/stream?filter.types=resume.*&position=START_POSITION_EARLIEST")
    # Events of one call travel in one message; each is an event of its own here.
    cursors = publish(suite, *(f"resume.{number}" for number in range(12)))
    async with door.client() as client:
        told = []
        for count in (1, 4, 2, 5):
            told += await read(source, client, count)
    assert [event.id for event in told] == cursors
    assert source.retry_ms == 3000


@pytest.mark.requirement("R-WE1")
async def test_last_event_id_counts_more_than_the_address_the_browser_began_with(
    door: Door, suite: LiveSuite
) -> None:
    cursors = publish(suite, "again.1", "again.2", "again.3")
    source = EventSource("/v1/events/stream?filter.types=again.*&position=START_POSITION_EARLIEST")
    source.last_event_id = cursors[1]
    async with door.client() as client:
        [event] = await read(source, client, 1)
    assert event.event == "again.3"
    named = EventSource(f"/v1/events/stream?filter.types=again.*&after={cursors[0]}")
    async with door.client() as client:
        assert [event.event for event in await read(named, client, 2)] == ["again.2", "again.3"]


@pytest.mark.requirement("R-WE1")
async def test_a_stream_that_is_over_is_not_asked_for_again(door: Door) -> None:
    source = EventSource("/v1/events/stream")
    source.last_event_id = "ended:5bd1e995.00000001.0000000000000003"
    async with door.client() as client, source.connect(client) as events:
        assert [event async for event in events] == []
    assert source.status == 204


@pytest.mark.requirement("R-WE1")
async def test_a_payload_of_a_foreign_type_ends_no_stream_and_no_list(door: Door, suite: LiveSuite) -> None:
    foreign = AnyMessage(type_url="type.googleapis.com/shop.Basket", value=b"\x08\x01")
    [cursor, _] = publish(suite, "foreign.first", "foreign.second", data=foreign)
    async with door.client() as client:
        listed = (await client.get("/v1/events", params={"filter.types": "foreign.*"})).json()["events"]
        assert listed[0]["data"] == {"@type": "type.googleapis.com/shop.Basket", "value": "CAE="}
        one = (await client.get(f"/v1/events/{cursor}")).json()["event"]
        assert one["data"]["@type"] == "type.googleapis.com/shop.Basket"
        source = EventSource("/v1/events/stream?filter.types=foreign.*&position=START_POSITION_EARLIEST")
        assert [event.event for event in await read(source, client, 2)] == ["foreign.first", "foreign.second"]
        address = "/v1/events/stream?filter.types=foreign.*&position=START_POSITION_EARLIEST"
        async with client.stream("GET", address) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            assert len(json.loads(await anext(lines))["events"]) == 2


@pytest.mark.requirement("R-WE2")
async def test_the_lines_of_the_table_that_ask_for_events_answer(door: Door, suite: LiveSuite) -> None:
    [cursor] = publish(suite, "table.asked", source="desk")
    async with door.client() as client:
        listed = (await client.get("/v1/events", params={"filter.types": "table.*", "page_size": 1})).json()
        event = listed["events"][0]
        assert event["type"] == "table.asked"
        assert (await client.get(f"/v1/events/{cursor}")).json()["event"]["cursor"] == cursor
        key = {"key.source": "desk", "key.id": event["id"]}
        assert (await client.get("/v1/events:find", params=key)).json()["event"] == event
        numbers = (await client.get("/v1/events/statistics")).json()["statistics"]
        assert int(numbers["total_published"]) >= 1
        body = {"events": [{"source": "desk", "type": "table.posted"}]}
        posted = (await client.post("/v1/events:publish", json=body)).json()["results"]
        assert posted[0]["durability"] == "DURABILITY_WRITTEN"
        async with client.stream("GET", "/v1/events/statistics/stream") as stream:
            assert stream.headers["content-type"] == NDJSON
            assert stream.headers["x-accel-buffering"] == "no"
            assert "no-cache" in stream.headers["cache-control"]
            lines = stream.aiter_lines()
            assert "connected" in json.loads(await anext(lines))["control"]
            assert "snapshot" in json.loads(await anext(lines))["events"][0]


@pytest.mark.requirement("R-WE1")
def test_lines_of_ndjson_are_published_while_the_body_still_arrives(door: Door) -> None:
    command = ["curl", "-sNT", ".", "-X", "POST", "-H", f"Content-Type: {NDJSON}"]
    curl = subprocess.Popen(
        [*command, f"{door.url}/v1/events:publishStream"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert curl.stdin is not None
    assert curl.stdout is not None
    curl.stdin.write('{"events":[{"source":"nd","type":"line.first"}]}\n')
    curl.stdin.flush()
    # The first result is here before the second line is sent.
    told = [json.loads(curl.stdout.readline()) for _ in range(2)]
    assert "publish_results" in told[1]
    rest, _ = curl.communicate(
        '{"events":[{"source":"nd","type":"line.second"},{"source":"nd"}]}', timeout=30
    )
    told += [json.loads(line) for line in rest.splitlines()]
    results = [result for message in told for result in message.get("publish_results", {}).get("results", [])]
    assert ["error" in result for result in results] == [False, False, True]
    assert told[-1]["publish_complete"] == {"published_count": "2", "error_count": "1"}


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_failures_come_with_their_reason_as_json(door: Door, accept: str) -> None:
    async with door.client() as client:
        client.headers["accept"] = accept
        wrong = await client.get("/v1/events/stream?after_cursor=nonsense")
        assert (wrong.status_code, reason(wrong)) == (400, "CURSOR_INVALID")
        assert wrong.headers["content-type"] == "application/json"
        unknown = await client.get("/v1/events/statistics?colour=red")
        assert (unknown.status_code, reason(unknown)) == (400, "REQUEST_INVALID")
        nowhere = await client.get("/v1/nowhere")
        assert (nowhere.status_code, reason(nowhere)) == (404, "PATH_UNKNOWN")
        missing = await client.get("/v1/events:find?key.source=a&key.id=b")
        assert (missing.status_code, reason(missing)) == (404, "EVENT_NOT_FOUND")
        ruled = await client.post("/v1/events:publish", json={"events": [{"source": "a"}]})
        assert ruled.json()["details"][1]["field_violations"][0]["field"] == "events[0].type"


@pytest.mark.requirement("R-WE1")
async def test_a_body_over_the_limit_is_refused_and_one_below_it_may_exceed_the_buffer(
    suite: LiveSuite, tmp_path: Path
) -> None:
    small = {"BRIDGE__MAX_UPLOAD_BYTES": "100000", "BRIDGE__ENVOY__MAX_REQUEST_BYTES": "400000"}
    small["BRIDGE__ENVOY__BUFFER_BYTES"] = "16384"
    narrow = Door(tmp_path, suite.address, **small)
    try:
        narrow.start()
        async with narrow.client() as client:
            files = {"file": ("a.jpg", bytes(200_000))}
            form = await client.post("/v1/documents:read", files=files)
            assert (form.status_code, reason(form)) == (413, "BODY_TOO_LARGE")
            body = {"content": base64.b64encode(bytes(600_000)).decode()}
            transcoded = await client.post("/v1/documents:read", json=body)
            assert (transcoded.status_code, reason(transcoded)) == (413, "BODY_TOO_LARGE")
            events = [{"source": "many", "type": "many.published", "id": f"{n:0128}"} for n in range(900)]
            answer = await client.post("/v1/events:publish", json={"events": events})
            assert len(answer.content) > 150_000
            assert len(answer.json()["results"]) == 900
    finally:
        narrow.close()


def fields_of(messages: list[dict[str, Any]]) -> dict[str, str]:
    done = next(message["extraction_complete"] for message in messages if "extraction_complete" in message)
    return {field["key"]: field.get("value", "") for field in done["document"]["fields"]}


@pytest.mark.requirement("R-WE1", "R-EX1")
async def test_a_document_is_read_over_http_field_by_field_and_as_over_grpc(
    door: Door, suite: LiveSuite, passport: bytes
) -> None:
    with grpc.insecure_channel(suite.address) as channel:
        stub = extraction_grpc.ExtractionServiceStub(channel)
        native = stub.ReadDocument(extraction.ReadDocumentRequest(content=passport))
    expected = {field.key: field.value for field in native.document.fields}
    async with door.client() as client:
        body = {"content": base64.b64encode(passport).decode()}
        messages = []
        async with client.stream("POST", "/v1/documents:extract", json=body) as stream:
            assert stream.headers["content-type"] == NDJSON
            async for line in stream.aiter_lines():
                messages.append(json.loads(line))
        names = [next(iter(set(message) - {"sequence", "emit_time"})) for message in messages]
        assert names[:2] == ["connected", "extraction_start"]
        assert names.index("extraction_field") < names.index("extraction_complete") == len(names) - 1
        assert fields_of(messages) == expected
        at_once = (await client.post("/v1/documents:read", json=body)).json()
        assert {field["key"]: field.get("value", "") for field in at_once["document"]["fields"]} == expected
        types = (await client.get("/v1/documentTypes")).json()["document_types"]
        assert "passport" in {kind["key"] for kind in types}


@pytest.mark.requirement("R-WE1", "R-WE2")
async def test_a_picture_is_uploaded_as_a_form_with_curl(door: Door) -> None:
    command = ["curl", "-sN", "-F", f"file=@{SAMPLES / 'passport.jpg'}", "-F", "document_type=passport"]
    lines = subprocess.run(
        [*command, f"{door.url}/v1/documents:extract"], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    assert fields_of(messages)["document.number"] == "X4093218K"
    assert [int(message["sequence"]) for message in messages] == list(range(1, len(messages) + 1))
    # SSE names each payload, and says at the end that it is not to be asked for again.
    told = subprocess.run(
        [*command, "-H", "Accept: text/event-stream", f"{door.url}/v1/documents:extract"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "event: extraction_field\n" in told
    assert told.endswith("id: ended:\n\n")


@pytest.mark.requirement("R-WE1")
async def test_a_form_without_the_file_or_with_two_is_refused_with_a_reason(door: Door) -> None:
    async with door.client() as client:
        two = [("file", ("a.jpg", b"a")), ("file", ("b.jpg", b"b"))]
        refused = await client.post("/v1/documents:read", files=two)
        assert (refused.status_code, reason(refused)) == (400, "REQUEST_INVALID")
        unknown = await client.post("/v1/documents:read", files={"file": b"a"}, data={"colour": "red"})
        assert unknown.json()["details"][1]["field_violations"][0]["field"] == "colour"
        empty = await client.post("/v1/documents:read", files={"file": ("a.jpg", b"")})
        assert reason(empty) == "IMAGE_EMPTY"
        broken = await client.post(
            "/v1/documents:read", content=b"x", headers={"content-type": "multipart/form-data"}
        )
        assert (broken.status_code, reason(broken)) == (400, "REQUEST_INVALID")
