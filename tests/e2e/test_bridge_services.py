"""The HTTP table with every service behind a real Envoy: libraries, batches, sessions, health, aliases."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from websockets.asyncio.client import connect

from e2e.bridge_door import Door, EventSource, Sse
from e2e.test_bridge_http import reason
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.job.v1 import job_service_pb2_grpc as jobs_grpc
from vidence.job.v1 import worker_service_pb2 as worker
from vidence.job.v1 import worker_service_pb2_grpc as worker_grpc

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
NDJSON = "application/x-ndjson"
NOBODY = "ses_019f0000-0000-7000-8000-000000000000"
CONTROL = {"connected", "heartbeat", "gap", "disconnected", "failed"}


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Patient with a machine that reads documents for others too."""
    async with httpx.AsyncClient(base_url=door.url, timeout=60) as opened:
        yield opened


@pytest.fixture
async def library(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """Path of a library with three documents."""
    name = f"door-{uuid.uuid4().hex[:12]}"
    answer = await client.post("/v1/libraries", json={"library_id": name, "display_name": "Door"})
    assert (answer.status_code, answer.json()["library"]["library_id"]) == (200, name)
    path = f"/v1/libraries/{name}"
    lines: list[dict[str, Any]] = [
        {"document_id": "a", "text": "the passport of a sailor", "metadata": {"year": 1999, "draft": True}},
        {"document_id": "b", "text": "an invoice for seven apples"},
        {"document_id": "c", "text": "a passport and a visa", "metadata": {"year": 2001}},
    ]
    told = await told_of(client, "POST", f"{path}/documents/stream", content=ndjson(*lines))
    assert told[-1]["ingest_complete"]["created_count"] == "3"
    yield path
    await client.delete(path)


def ndjson(*lines: Mapping[str, Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


async def told_of(client: httpx.AsyncClient, verb: str, path: str, **options: Any) -> list[dict[str, Any]]:
    """The lines of a stream that ends by itself."""
    async with client.stream(verb, path, **options) as stream:
        assert stream.status_code == 200, await stream.aread()
        assert stream.headers["content-type"] == NDJSON
        return [json.loads(line) async for line in stream.aiter_lines() if line]


def payloads(messages: list[dict[str, Any]]) -> list[str]:
    """What each message of a result stream is."""
    return [next(iter(set(message) - {"sequence", "emit_time"})) for message in messages]


def hits_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [hit for message in messages for hit in message.get("search_hits", {}).get("hits", [])]


@pytest.mark.requirement("R-WE2", "R-OP3")
async def test_health_names_every_service_the_version_and_one_status(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert set(health) == {"status", "version", "services"}
    assert health["status"] == "ok"
    names = ("event", "extraction", "capture", "batch", "library", "face", "review")
    assert health["services"] == dict.fromkeys(names, "serving")


@pytest.mark.requirement("R-WE2", "R-LI1")
def test_a_document_has_its_status_line_while_the_body_still_arrives(door: Door, library: str) -> None:
    command = ["curl", "-sNT", ".", "-X", "POST", "-H", f"Content-Type: {NDJSON}"]
    curl = subprocess.Popen(
        [*command, f"{door.url}{library}/documents/stream"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert curl.stdin is not None
    assert curl.stdout is not None
    curl.stdin.write('{"document_id": "first", "text": "a driving licence"}\n')
    curl.stdin.flush()
    # The first is kept and told before the second line is sent.
    first = json.loads(curl.stdout.readline())["result"]
    assert (first["line"], first["document_id"], first["state"]) == ("1", "first", "INGEST_STATE_CREATED")
    found = httpx.get(f"{door.url}{library}/documents/first").json()["document"]
    assert found["text"] == "a driving licence"
    rest, _ = curl.communicate('no json\n{"document_id": "first", "text": "a driving licence"}\n', timeout=60)
    wrong, repeated, complete = (json.loads(line) for line in rest.splitlines())
    assert wrong["result"]["error"]["details"][0]["reason"] == "DOCUMENT_INVALID"
    assert repeated["result"]["state"] == "INGEST_STATE_DUPLICATE"
    assert complete["ingest_complete"]["error_count"] == "1"


@pytest.mark.requirement("R-WE2", "R-LI1")
async def test_a_library_that_was_read_out_can_be_sent_in_again(
    client: httpx.AsyncClient, library: str
) -> None:
    whole = (await client.get(f"{library}/documents/stream")).content
    exported = [json.loads(line) for line in whole.splitlines()]
    assert exported[0]["export_started"]["document_count"] == "3"
    assert exported[-1]["export_complete"]["document_count"] == "3"
    documents = [line["document"] for line in exported if "document" in line]
    assert [document["document_id"] for document in documents] == ["a", "b", "c"]
    assert documents[0]["metadata"] == {"year": 1999, "draft": True}
    copies = [f"{library}-ingested", f"{library}-imported"]
    for copy in copies:
        await client.post("/v1/libraries", json={"library_id": copy.rpartition("/")[2]})
    ingested = await told_of(client, "POST", f"{copies[0]}/documents/stream", content=ndjson(*documents))
    assert ingested[-1]["ingest_complete"]["created_count"] == "3"
    imported = await told_of(client, "POST", f"{copies[1]}/import", content=whole)
    checksum = exported[-1]["export_complete"]["checksum"]
    assert payloads(imported)[-1] == "import_complete", imported[-1]
    assert imported[-1]["import_complete"]["checksum"] == checksum
    for copy in copies:
        assert (await client.get(f"{copy}/documents/c")).json()["document"]["text"] == "a passport and a visa"
        await client.delete(copy)


@pytest.mark.requirement("R-WE2", "R-LI2")
async def test_a_search_streams_its_hits_by_query_parameters_and_by_options(
    client: httpx.AsyncClient, library: str
) -> None:
    path = f"{library}/search/stream"
    told = await told_of(client, "POST", f"{path}?query=passport&k=2")
    assert payloads(told) == ["connected", "search_plan", "search_hits", "search_complete"]
    assert {hit["document_id"] for hit in hits_of(told)} == {"a", "c"}
    assert [hit["rank"] for hit in hits_of(told)] == [1, 2]
    assert told == [{**message, "sequence": str(place)} for place, message in enumerate(told, 1)]
    asked = await told_of(client, "GET", f"{path}?query=passport&k=2")
    assert hits_of(asked) == hits_of(told)
    options = {"include_metadata": True, "filter": {"metadata.year": "no filter"}}
    refused = await client.post(f"{path}?query=passport", json=options)
    assert (refused.status_code, reason(refused)) == (400, "REQUEST_INVALID")
    lexical = {"mode": "SEARCH_MODE_LEXICAL", "include_text": True}
    worded = hits_of(await told_of(client, "POST", f"{path}?query=apples&k=5", json=lexical))
    assert [(hit["document_id"], hit["text"]) for hit in worded] == [("b", "an invoice for seven apples")]
    at_once = (await client.post(f"{library}/search?query=passport&k=2", json={})).json()["hits"]
    assert at_once == hits_of(told)


@pytest.mark.requirement("R-WE2")
async def test_what_a_library_refuses_has_its_reason(client: httpx.AsyncClient, library: str) -> None:
    twice = await client.post("/v1/libraries", json={"library_id": library.rpartition("/")[2]})
    assert (twice.status_code, reason(twice)) == (409, "LIBRARY_EXISTS")
    badly = await client.post("/v1/libraries", json={"library_id": "No Name"})
    assert (badly.status_code, reason(badly)) == (400, "REQUEST_INVALID")
    nowhere = await client.get("/v1/libraries/nowhere")
    assert (nowhere.status_code, reason(nowhere)) == (404, "LIBRARY_NOT_FOUND")
    unknown = await client.post(f"{library}/search/stream?query=x&colour=red")
    assert (unknown.status_code, reason(unknown)) == (400, "REQUEST_INVALID")
    # A result stream that has begun tells its end itself.
    for verb, path, end in (
        ("POST", "search/stream?query=x", "search_failed"),
        ("GET", "documents/stream", "export_failed"),
        ("POST", "documents/stream", "ingest_failed"),
    ):
        told = await told_of(client, verb, f"/v1/libraries/nowhere/{path}", content=b"{}\n")
        assert told[-1][end]["status"]["details"][0]["reason"] == "LIBRARY_NOT_FOUND", path


def images(*files: tuple[str, bytes]) -> dict[str, Any]:
    """A batch as JSON."""
    return {
        "images": [
            {"file_name": name, "content": base64.b64encode(content).decode()} for name, content in files
        ]
    }


def number_of(document: Mapping[str, Any]) -> str:
    return str(next(field["value"] for field in document["fields"] if field["key"] == "document.number"))


@pytest.mark.requirement("R-WE2", "R-BA1")
@pytest.mark.parametrize("path", ["/v1/batches:process", "/api/process-batch"])
async def test_a_batch_is_answered_at_once_as_json_and_as_a_form(
    client: httpx.AsyncClient, passport: bytes, path: str
) -> None:
    files = (("a.jpg", passport), ("b.txt", b"no image"))
    form = [("files", file) for file in files]
    for answer in (
        await client.post(path, json=images(*files)),
        await client.post(path, files=form),
    ):
        assert answer.status_code == 200, answer.text
        read, refused = answer.json()["outcomes"]
        assert (read["file_name"], number_of(read["document"])) == ("a.jpg", "X4093218K")
        assert (refused["index"], refused["file_name"]) == (1, "b.txt")
        assert refused["error"]["details"][0]["reason"] == "IMAGE_UNSUPPORTED"
        assert answer.json()["statistics"] | {"size_bytes": ""} == {
            "total": 2,
            "succeeded": 1,
            "failed": 1,
            "size_bytes": "",
        }
    empty = await client.post(path, json={"images": []})
    assert (empty.status_code, reason(empty)) == (400, "REQUEST_INVALID")
    got = await client.get(path)
    assert (got.status_code, reason(got)) == (404, "PATH_UNKNOWN")


@pytest.mark.requirement("R-WE2", "R-BA1")
@pytest.mark.parametrize("path", ["/v1/batches:processStream", "/api/process-batch-stream"])
def test_the_first_file_of_a_form_is_told_before_the_last_is_read(door: Door, path: str) -> None:
    files = ["-F", f"files=@{SAMPLES / 'passport.jpg'}", "-F", f"files=@{SAMPLES / 'page.png'}"]
    command = ["curl", "-sN", *files, "-F", "files=@-;filename=b.txt", f"{door.url}{path}"]
    told: list[dict[str, Any]] = []
    leased = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdin is not None
        assert curl.stdout is not None
        curl.stdin.write("no image")
        curl.stdin.close()
        for line in curl.stdout:
            told.append(json.loads(line))
            if "result" in told[-1]:
                answer = httpx.get(f"{door.url}/v1/queue/statistics", timeout=60)
                leased.append(int(answer.json()["statistics"].get("leased", 0)))
    assert curl.returncode == 0
    # The other document was still being read while the first was in our hands.
    assert leased == [1, 0]
    kinds = payloads(told)
    assert kinds[:2] == ["connected", "batch_start"]
    assert kinds[-1] == "complete"
    assert kinds.index("result") < kinds.index("complete") - 2
    assert {message["result"].get("index", 0) for message in told if "result" in message} == {0, 1}
    [refused] = [message["error"] for message in told if "error" in message]
    assert (refused["index"], refused["file_name"], refused["reason"]) == (2, "b.txt", "IMAGE_UNSUPPORTED")
    assert [int(message["sequence"]) for message in told] == list(range(1, len(told) + 1))


@pytest.mark.requirement("R-WE2", "R-BA1")
async def test_a_batch_streams_as_json_and_as_server_sent_events(
    client: httpx.AsyncClient,
) -> None:
    body = images(("b.txt", b"no image"))
    for path in ("/v1/batches:processStream", "/api/process-batch-stream"):
        told = await told_of(client, "POST", path, json=body)
        assert payloads(told) == ["connected", "batch_start", "error", "progress", "complete"]
        async with client.stream("POST", path, json=body, headers={"accept": "text/event-stream"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            names = [
                line.removeprefix("event: ")
                async for line in stream.aiter_lines()
                if line.startswith("event: ")
            ]
        assert names == payloads(told)
    empty = await client.post("/api/process-batch-stream", json={"images": []})
    assert (empty.status_code, reason(empty)) == (400, "REQUEST_INVALID")


@pytest.mark.requirement("R-WE2", "R-BA1")
async def test_a_kept_batch_goes_its_whole_way_over_http(client: httpx.AsyncClient) -> None:
    batch = (await client.post("/v1/batches", json={})).json()["batch"]["batch_id"]
    image = {
        "file_name": "page.png",
        "content": base64.b64encode((SAMPLES / "page.png").read_bytes()).decode(),
    }
    item = await client.post(f"/v1/batches/{batch}/items", json={"index": 0, "image": image})
    assert item.status_code == 200, item.text
    assert (await client.post(f"/v1/batches/{batch}:start", json={})).status_code == 200
    told = await told_of(client, "GET", f"/v1/batches/{batch}/stream")
    kinds = [next(iter(set(event) & {"batch_start", "progress", "result", "error", "complete"}))
             for message in told for event in message.get("events", [])]  # fmt: skip
    assert (kinds[0], kinds[-1]) == ("batch_start", "complete")
    assert "result" in kinds
    assert told[-1]["control"]["disconnected"]["reason"] == "DISCONNECT_REASON_ENDED"
    source = EventSource(f"/v1/batches/{batch}/stream")
    async with source.connect(client) as events:
        assert [event.event async for event in events if event.event not in CONTROL] == kinds
    # What is over is not asked for again.
    async with source.connect(client) as events:
        assert [event async for event in events] == []
    assert source.status == 204
    items = (await client.get(f"/v1/batches/{batch}/items")).json()["items"]
    assert len(items) == 1
    assert (await client.delete(f"/v1/batches/{batch}")).status_code == 200
    gone = await client.get(f"/v1/batches/{batch}")
    assert (gone.status_code, reason(gone)) == (404, "BATCH_NOT_FOUND")


@asynccontextmanager
async def session_of(client: httpx.AsyncClient) -> AsyncIterator[tuple[str, str]]:
    """Id and token of a session that looks for a document."""
    plan = {"plan": {"targets": ["TARGET_DOCUMENT_FRONT"], "reference": "door"}}
    made = (await client.post("/v1/sessions", json=plan)).json()
    session = made["session"]["id"]
    try:
        yield session, made["session_token"]
    finally:
        await client.post(f"/v1/sessions/{session}:cancel", json={})


async def session_events(source: EventSource, client: httpx.AsyncClient, count: int) -> list[Sse]:
    found: list[Sse] = []
    async with source.connect(client) as events, asyncio.timeout(30):
        async for event in events:
            if event.event not in CONTROL:
                found.append(event)
                if len(found) == count:
                    break
    return found


@pytest.mark.requirement("R-WE2", "R-CA1")
@pytest.mark.parametrize("path", ["/v1/sessions/{id}/stream", "/face/stream/{id}"])
async def test_a_session_is_server_sent_events_that_resume_and_end_for_good(
    client: httpx.AsyncClient, path: str
) -> None:
    async with session_of(client) as (session, token):
        source = EventSource(f"{path.format(id=session)}?session_token={token}")
        [first] = await session_events(source, client, 1)
        assert (first.event, first.data["session_id"], first.data["sequence"]) == (
            "session_start",
            session,
            1,
        )
        assert first.id
        assert {"timestamp", "type", "data"} <= set(first.data)
        await client.post(f"/v1/sessions/{session}:cancel", json={"session_token": token})
        rest = await session_events(source, client, 1_000)
        assert [event.data["sequence"] for event in rest] == list(range(2, 2 + len(rest)))
        assert rest[-1].event == "session_end"
        assert await session_events(source, client, 1) == []
        assert source.status == 204
        # A watcher that comes late gets all of it.
        late = EventSource(f"{path.format(id=session)}?session_token={token}")
        assert [event.id for event in await session_events(late, client, 1_000)] == [
            event.id for event in [first, *rest]
        ]


@pytest.mark.requirement("R-WE2", "R-CA1")
async def test_a_session_is_told_as_lines_and_over_a_socket(door: Door, client: httpx.AsyncClient) -> None:
    async with session_of(client) as (session, token):
        query = f"session_token={token}"
        url = f"{door.socket_url}/ws/sessions/{session}?{query}"
        async with connect(url, proxy=None, open_timeout=20) as socket, asyncio.timeout(30):
            names: list[str] = []
            while "session_start" not in names:
                message = json.loads(await socket.recv())
                names += [message["data"]["type"]] if message["type"] == "event" else []
            await client.post(f"/v1/sessions/{session}:cancel", json={"session_token": token})
            async for text in socket:
                message = json.loads(text)
                names += [message["data"]["type"]] if message["type"] == "event" else []
            assert names[-2:] == ["session_end", "disconnected"]
            assert socket.close_code == 1000
        told = await told_of(client, "GET", f"/v1/sessions/{session}/stream?{query}")
        assert "session_start" in told[1]["events"][0]
        assert told[1]["previous_cursor"] == told[0]["cursor"]
        aliased = await told_of(client, "GET", f"/face/stream/{session}?{query}")
        assert aliased[1]["events"][0] == told[1]["events"][0]


@pytest.mark.requirement("R-WE2", "R-CA10")
async def test_what_a_session_refuses_has_its_reason(client: httpx.AsyncClient) -> None:
    async with session_of(client) as (session, _):
        for path in (f"/v1/sessions/{session}/stream", f"/face/stream/{session}"):
            for accept in ("*/*", "text/event-stream"):
                guessed = await client.get(f"{path}?session_token=guess", headers={"accept": accept})
                assert (guessed.status_code, reason(guessed)) == (403, "SESSION_TOKEN_INVALID")
    nobody = await client.get(f"/face/stream/{NOBODY}?session_token=guess")
    assert (nobody.status_code, reason(nobody)) == (404, "SESSION_NOT_FOUND")


@pytest.mark.requirement("R-WE2")
async def test_the_numbers_of_sessions_have_two_addresses(client: httpx.AsyncClient) -> None:
    async with session_of(client) as (session, _):
        for path in ("/v1/sessions:statistics", "/face/stream/stats"):
            numbers = (await client.get(path)).json()
            assert session in {each["session_id"] for each in numbers["sessions"]}, path


@pytest.mark.requirement("R-WE1", "R-BA2")
async def test_nobody_outside_may_lease_the_items_of_workers(door: Door, client: httpx.AsyncClient) -> None:
    address = door.url.removeprefix("http://")
    async with grpc.aio.insecure_channel(address) as channel:
        listed = await jobs_grpc.JobServiceStub(channel).ListWorkers(jobs.ListWorkersRequest())
        assert listed.workers
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await worker_grpc.WorkerServiceStub(channel).LeaseItems(worker.LeaseItemsRequest())
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    path = "/vidence.job.v1.WorkerService/LeaseItems"
    answer = await client.post(path, content=bytes(5), headers=web)
    assert answer.headers["grpc-status"] == "12"
    for plain in (await client.post(path, json={}), await client.get(path)):
        assert plain.status_code in {404, 405}
