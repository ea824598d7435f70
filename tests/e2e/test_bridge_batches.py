"""Batches through a real Envoy: answered at once, told file by file, and kept."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.bridge_calls import payloads, reason, told_of
from e2e.bridge_door import Door, EventSource

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"


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
    http: httpx.AsyncClient, passport: bytes, path: str
) -> None:
    files = (("a.jpg", passport), ("b.txt", b"no image"))
    form = [("files", file) for file in files]
    for answer in (
        await http.post(path, json=images(*files)),
        await http.post(path, files=form),
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
    empty = await http.post(path, json={"images": []})
    assert (empty.status_code, reason(empty)) == (400, "REQUEST_INVALID")
    got = await http.get(path)
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
    http: httpx.AsyncClient,
) -> None:
    body = images(("b.txt", b"no image"))
    for path in ("/v1/batches:processStream", "/api/process-batch-stream"):
        told = await told_of(http, "POST", path, json=body)
        assert payloads(told) == ["connected", "batch_start", "error", "progress", "complete"]
        async with http.stream("POST", path, json=body, headers={"accept": "text/event-stream"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            names = [
                line.removeprefix("event: ")
                async for line in stream.aiter_lines()
                if line.startswith("event: ")
            ]
        assert names == payloads(told)
    empty = await http.post("/api/process-batch-stream", json={"images": []})
    assert (empty.status_code, reason(empty)) == (400, "REQUEST_INVALID")


@pytest.mark.requirement("R-WE2", "R-BA1")
async def test_a_kept_batch_goes_its_whole_way_over_http(http: httpx.AsyncClient) -> None:
    batch = (await http.post("/v1/batches", json={})).json()["batch"]["batch_id"]
    image = {
        "file_name": "page.png",
        "content": base64.b64encode((SAMPLES / "page.png").read_bytes()).decode(),
    }
    item = await http.post(f"/v1/batches/{batch}/items", json={"index": 0, "image": image})
    assert item.status_code == 200, item.text
    assert (await http.post(f"/v1/batches/{batch}:start", json={})).status_code == 200
    told = await told_of(http, "GET", f"/v1/batches/{batch}/stream")
    kinds = [next(iter(set(event) & {"batch_start", "progress", "result", "error", "complete"}))
             for message in told for event in message.get("events", [])]  # fmt: skip
    assert (kinds[0], kinds[-1]) == ("batch_start", "complete")
    assert "result" in kinds
    assert told[-1]["control"]["disconnected"]["reason"] == "DISCONNECT_REASON_ENDED"
    source = EventSource(f"/v1/batches/{batch}/stream")
    async with source.connect(http) as events:
        assert [event.event async for event in events if event.is_told] == kinds
    # What is over is not asked for again.
    async with source.connect(http) as events:
        assert [event async for event in events] == []
    assert source.status == 204
    items = (await http.get(f"/v1/batches/{batch}/items")).json()["items"]
    assert len(items) == 1
    assert (await http.delete(f"/v1/batches/{batch}")).status_code == 200
    gone = await http.get(f"/v1/batches/{batch}")
    assert (gone.status_code, reason(gone)) == (404, "BATCH_NOT_FOUND")
