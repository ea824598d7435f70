"""What the story through Envoy is made of: a camera, a watched bus, and the back end of a session."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import httpx
import numpy as np

from e2e.bridge_door import Door, EventSource, Sse
from fakes.face_pictures import Pixels

PLAN = {
    "targets": ["TARGET_DOCUMENT_FRONT", "TARGET_FACE"],
    "extraction": {},
    "liveness": {"passive": True},
    "verification": True,
    "hold": {"stable_frames": 3, "stable_duration": "0s", "countdown_duration": "0s"},
}
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


@dataclass(frozen=True)
class Story:
    """Who and what the story is about, and who tells it."""

    client: httpx.AsyncClient
    bus: Bus
    person: str
    library: str

    async def begin(self) -> Camera:
        """A back end asks for a session of the person."""
        body = {"plan": {**PLAN, "subject_id": self.person}}
        return Camera(self.client, (await self.client.post("/v1/sessions", json=body)).json())

    async def keep(self, document_id: str, text: str) -> str:
        """Puts a document of the person into a new library; gives its name on the bus."""
        made = await self.client.post("/v1/libraries", json={"library_id": self.library})
        assert made.status_code == 200, made.text
        metadata = {name: {"string_value": value} for name, value in self._metadata.items()}
        document = {"document_id": document_id, "text": text, "metadata": metadata}
        path = f"/v1/libraries/{self.library}/documents/stream"
        ingested = await self.client.post(path, content=json.dumps(document))
        assert json.loads(ingested.text.splitlines()[0])["result"]["state"] == "INGEST_STATE_CREATED"
        return f"libraries/{self.library}/documents/{document_id}"

    async def found(self, query: str) -> list[str]:
        """Documents that the streamed search finds, best first."""
        path = f"/v1/libraries/{self.library}/search/stream"
        options = {"mode": "SEARCH_MODE_LEXICAL"}
        async with self.client.stream(
            "POST", path, params={"query": query, "k": "5"}, json=options
        ) as stream:
            messages = [json.loads(line) async for line in stream.aiter_lines() if line]
        assert "search_complete" in messages[-1]
        return [hit["document_id"] for m in messages for hit in m.get("search_hits", {}).get("hits", [])]

    async def purge(self) -> dict[str, Any]:
        """Erases the person in all services, again while something is still in work."""
        while True:
            answer = await self.client.post(f"/v1/subjects/{self.person}:purge", json={})
            assert answer.status_code == 200, answer.text
            purge: dict[str, Any] = answer.json()["purge"]
            if purge["state"] != "PURGE_STATE_PARTIAL":
                return purge

    async def last_line(self, path: str) -> dict[str, Any]:
        """How a stream ends."""
        line: dict[str, Any] = json.loads((await self.client.get(path)).text.splitlines()[-1])
        return line

    @property
    def _metadata(self) -> dict[str, str]:
        return {"document_type": "passport", "subject_id": self.person}


@asynccontextmanager
async def story_through(door: Door) -> AsyncIterator[Story]:
    async with (
        httpx.AsyncClient(base_url=door.url, timeout=PATIENCE_S) as client,
        watched_bus(client) as bus,
        asyncio.timeout(2 * PATIENCE_S),
    ):
        story = Story(client, bus, f"person-{uuid.uuid4()}", f"story-{uuid.uuid4().hex[:12]}")
        yield story
        await client.delete(f"/v1/libraries/{story.library}")
