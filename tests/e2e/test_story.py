"""One story through Envoy: a passport before a camera becomes a document that is found, until deleted."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from e2e.bridge_door import Door, EventSource, Sse
from e2e.test_capture_models import document_with_portrait
from fakes.capture_models import person_before_a_camera
from fakes.face_pictures import Pixels

FAILED = {"SESSION_STATE_FAILED", "SESSION_STATE_EXPIRED"}
PATIENCE_S = 90.0
"""A camera, models and a reading on a machine that others use too; a quiet one needs a fraction."""


class Camera:
    """Pushes frames one by one: the next when the one before was looked at."""

    def __init__(self, client: httpx.AsyncClient, created: dict[str, Any]) -> None:
        self._client = client
        self.session_id: str = created["session"]["id"]
        self.token: str = created["session_token"]
        self._number = 0

    async def show(self, picture: Pixels, *, captured: int) -> None:
        """Shows a scene until so many pictures were taken."""
        for content in scene(picture):
            self._number += 1
            frame = {"frame_number": self._number, "encoded": base64.b64encode(content).decode()}
            body = {"session_token": self.token, "frame": frame}
            answer = await self._client.post(f"/v1/sessions/{self.session_id}/frames", json=body)
            assert answer.status_code == 200, answer.text
            assert answer.json()["state"] not in FAILED
            if len((await self.session()).get("captured", [])) >= captured:
                return

    async def session(self) -> dict[str, Any]:
        answer = await self._client.get(f"/v1/sessions/{self.session_id}")
        session: dict[str, Any] = answer.json()["session"]
        return session


def scene(picture: Pixels) -> Iterator[bytes]:
    """The same scene with ever new noise of a sensor, as JPEG."""
    rng = np.random.default_rng(11)
    while True:
        noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        yield cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


class Bus:
    """All that the bus tells from the start of the story on, in one chain of cursors."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.cursor = ""
        self._came = asyncio.Condition()

    async def read(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            message = json.loads(line)
            assert message.get("previous_cursor", self.cursor) == self.cursor
            async with self._came:
                self.cursor = message["cursor"]
                self.events += message.get("events", [])
                self._came.notify_all()

    async def told(self, kind: str, subject: str) -> dict[str, Any]:
        """The event of this type about this subject."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [e for e in self.events if (e["type"], e.get("subject")) == (kind, subject)]
            return bool(found)

        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(there)
        assert len(found) == 1
        return found[0]


@asynccontextmanager
async def watched_bus(client: httpx.AsyncClient) -> AsyncIterator[Bus]:
    bus = Bus()
    path = "/v1/events/stream?position=START_POSITION_LATEST"
    async with client.stream("GET", path) as stream:
        lines = stream.aiter_lines()
        bus.cursor = json.loads(await anext(lines))["cursor"]
        reading = asyncio.create_task(bus.read(lines))
        yield bus
        assert not reading.done() or reading.exception() is None
        reading.cancel()
        await asyncio.wait([reading])


async def watched_session(client: httpx.AsyncClient, camera: Camera) -> list[Sse]:
    """Everything that a page gets of a session."""
    source = EventSource(f"/v1/sessions/{camera.session_id}/stream?session_token={camera.token}")
    async with source.connect(client) as events:
        return [event async for event in events]


async def found_ids(client: httpx.AsyncClient, library: str, query: str) -> list[str]:
    """Documents that the streamed search finds, best first."""
    path = f"/v1/libraries/{library}/search/stream"
    options = {"mode": "SEARCH_MODE_LEXICAL"}
    async with client.stream("POST", path, params={"query": query, "k": "5"}, json=options) as stream:
        messages = [json.loads(line) async for line in stream.aiter_lines() if line]
    assert "search_complete" in messages[-1]
    return [hit["document_id"] for m in messages for hit in m.get("search_hits", {}).get("hits", [])]


@pytest.mark.requirement("R-WE1", "R-CA1", "R-CA8", "R-EX1", "R-LI1", "R-LI2", "R-EV1", "R-ST4")
async def test_a_passport_is_captured_read_verified_kept_found_and_forgotten(door: Door) -> None:
    library = f"story-{uuid.uuid4().hex[:12]}"
    async with (
        httpx.AsyncClient(base_url=door.url, timeout=PATIENCE_S) as client,
        watched_bus(client) as bus,
        asyncio.timeout(PATIENCE_S),
    ):
        # A back end asks for a session; the person's device shows a passport, then a face.
        plan = {
            "targets": ["TARGET_DOCUMENT_FRONT", "TARGET_FACE"],
            "extraction": {},
            "liveness": {"passive": True},
            "verification": True,
            "hold": {"stable_frames": 3, "stable_duration": "0s", "countdown_duration": "0s"},
        }
        camera = Camera(client, (await client.post("/v1/sessions", json={"plan": plan})).json())
        page = asyncio.create_task(watched_session(client, camera))
        await camera.show(document_with_portrait(), captured=1)
        await camera.show(person_before_a_camera(), captured=2)
        told = await page

        # The page saw the capture, each field as it was read, and the verdict; then the end.
        names = [event.event for event in told]
        for earlier, later in (
            ("session_start", "capture_complete"),
            ("capture_complete", "extraction_field"),
            ("extraction_field", "extraction_complete"),
            ("extraction_complete", "session_end"),
            ("verification", "session_end"),
        ):
            assert names.index(earlier) < names.index(later)
        session = (await camera.session())["state"]
        assert session == "SESSION_STATE_COMPLETED"
        assert _verdicts(_data(told, "verification"))["portrait_match"] == "CHECK_VERDICT_PASSED"
        fields = _fields(_data(told, "extraction_complete"))
        assert fields["document.number"] == "X4093218K"

        # What was read becomes a document; the bus tells of both, the index finds it.
        assert (await client.post("/v1/libraries", json={"library_id": library})).status_code == 200
        document = {
            "document_id": camera.session_id,
            "text": " ".join(fields.values()),
            "metadata": {"document_type": {"string_value": "passport"}},
        }
        ingested = await client.post(
            f"/v1/libraries/{library}/documents/stream", content=json.dumps(document)
        )
        assert json.loads(ingested.text.splitlines()[0])["result"]["state"] == "INGEST_STATE_CREATED"
        subject = f"libraries/{library}/documents/{camera.session_id}"
        ended = await bus.told("session.completed", f"sessions/{camera.session_id}")
        created = await bus.told("document.created", subject)
        assert ended["data"]["verification"] == "CHECK_VERDICT_PASSED"
        # Values never reach the bus.
        assert not [value for value in fields.values() if len(value) > 6 and value in json.dumps(bus.events)]
        for query in (fields["document.number"], fields["person.surname"]):
            assert await found_ids(client, library, query) == [camera.session_id]

        # Forgotten is forgotten.
        path = f"/v1/libraries/{library}/documents/{camera.session_id}"
        assert (await client.delete(path)).status_code == 200
        deleted = await bus.told("document.deleted", subject)
        assert await found_ids(client, library, fields["document.number"]) == []
        assert (await client.get(path)).json()["details"][0]["reason"] == "DOCUMENT_NOT_FOUND"
        order = [event["cursor"] for event in bus.events]
        assert order.index(ended["cursor"]) < order.index(created["cursor"]) < order.index(deleted["cursor"])
        assert order == sorted(order)
        await client.delete(f"/v1/libraries/{library}")


def _data(told: list[Sse], name: str) -> dict[str, Any]:
    data = next(event.data["data"] for event in told if event.event == name)
    assert isinstance(data, dict)
    return data


def _verdicts(verification: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in verification["checks"]}


def _fields(complete: dict[str, Any]) -> dict[str, str]:
    fields = complete["document"]["fields"]
    return {field["key"]: field["value"] for field in fields if field.get("value")}
