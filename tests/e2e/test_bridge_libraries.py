"""Libraries through a real Envoy: documents in and out line by line, searches, what is refused."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from e2e.bridge_calls import NDJSON, ndjson, payloads, reason, told_of
from e2e.bridge_door import Door


@pytest.fixture
async def library(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """Path of a library with three documents."""
    name = f"door-{uuid.uuid4().hex[:12]}"
    answer = await http.post("/v1/libraries", json={"library_id": name, "display_name": "Door"})
    assert (answer.status_code, answer.json()["library"]["library_id"]) == (200, name)
    path = f"/v1/libraries/{name}"
    lines: list[dict[str, Any]] = [
        {"document_id": "a", "text": "the passport of a sailor", "metadata": {"year": 1999, "draft": True}},
        {"document_id": "b", "text": "an invoice for seven apples"},
        {"document_id": "c", "text": "a passport and a visa", "metadata": {"year": 2001}},
    ]
    told = await told_of(http, "POST", f"{path}/documents/stream", content=ndjson(*lines))
    assert told[-1]["ingest_complete"]["created_count"] == "3"
    yield path
    await http.delete(path)


def hits_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [hit for message in messages for hit in message.get("search_hits", {}).get("hits", [])]


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
    http: httpx.AsyncClient, library: str
) -> None:
    whole = (await http.get(f"{library}/documents/stream")).content
    exported = [json.loads(line) for line in whole.splitlines()]
    assert exported[0]["export_started"]["document_count"] == "3"
    assert exported[-1]["export_complete"]["document_count"] == "3"
    documents = [line["document"] for line in exported if "document" in line]
    assert [document["document_id"] for document in documents] == ["a", "b", "c"]
    assert documents[0]["metadata"] == {"year": 1999, "draft": True}
    copies = [f"{library}-ingested", f"{library}-imported"]
    for copy in copies:
        await http.post("/v1/libraries", json={"library_id": copy.rpartition("/")[2]})
    ingested = await told_of(http, "POST", f"{copies[0]}/documents/stream", content=ndjson(*documents))
    assert ingested[-1]["ingest_complete"]["created_count"] == "3"
    imported = await told_of(http, "POST", f"{copies[1]}/import", content=whole)
    checksum = exported[-1]["export_complete"]["checksum"]
    assert payloads(imported)[-1] == "import_complete", imported[-1]
    assert imported[-1]["import_complete"]["checksum"] == checksum
    for copy in copies:
        assert (await http.get(f"{copy}/documents/c")).json()["document"]["text"] == "a passport and a visa"
        await http.delete(copy)


@pytest.mark.requirement("R-WE2", "R-LI2")
async def test_a_search_streams_its_hits_by_query_parameters_and_by_options(
    http: httpx.AsyncClient, library: str
) -> None:
    path = f"{library}/search/stream"
    told = await told_of(http, "POST", f"{path}?query=passport&k=2")
    assert payloads(told) == ["connected", "search_plan", "search_hits", "search_complete"]
    assert {hit["document_id"] for hit in hits_of(told)} == {"a", "c"}
    assert [hit["rank"] for hit in hits_of(told)] == [1, 2]
    assert told == [{**message, "sequence": str(place)} for place, message in enumerate(told, 1)]
    asked = await told_of(http, "GET", f"{path}?query=passport&k=2")
    assert hits_of(asked) == hits_of(told)
    options = {"include_metadata": True, "filter": {"metadata.year": "no filter"}}
    refused = await http.post(f"{path}?query=passport", json=options)
    assert (refused.status_code, reason(refused)) == (400, "REQUEST_INVALID")
    lexical = {"mode": "SEARCH_MODE_LEXICAL", "include_text": True}
    worded = hits_of(await told_of(http, "POST", f"{path}?query=apples&k=5", json=lexical))
    assert [(hit["document_id"], hit["text"]) for hit in worded] == [("b", "an invoice for seven apples")]
    at_once = (await http.post(f"{library}/search?query=passport&k=2", json={})).json()["hits"]
    assert at_once == hits_of(told)


@pytest.mark.requirement("R-WE2")
async def test_what_a_library_refuses_has_its_reason(http: httpx.AsyncClient, library: str) -> None:
    twice = await http.post("/v1/libraries", json={"library_id": library.rpartition("/")[2]})
    assert (twice.status_code, reason(twice)) == (409, "LIBRARY_EXISTS")
    badly = await http.post("/v1/libraries", json={"library_id": "No Name"})
    assert (badly.status_code, reason(badly)) == (400, "REQUEST_INVALID")
    nowhere = await http.get("/v1/libraries/nowhere")
    assert (nowhere.status_code, reason(nowhere)) == (404, "LIBRARY_NOT_FOUND")
    unknown = await http.post(f"{library}/search/stream?query=x&colour=red")
    assert (unknown.status_code, reason(unknown)) == (400, "REQUEST_INVALID")
    # A result stream that has begun tells its end itself.
    for verb, path, end in (
        ("POST", "search/stream?query=x", "search_failed"),
        ("GET", "documents/stream", "export_failed"),
        ("POST", "documents/stream", "ingest_failed"),
    ):
        told = await told_of(http, verb, f"/v1/libraries/nowhere/{path}", content=b"{}\n")
        assert told[-1][end]["status"]["details"][0]["reason"] == "LIBRARY_NOT_FOUND", path
