"""Sessions of captures through a real Envoy: server-sent events, lines, a socket, and who may watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from e2e.bridge_calls import read, reason, told_of
from e2e.bridge_door import Door, EventSource

NOBODY = "ses_019f0000-0000-7000-8000-000000000000"


@asynccontextmanager
async def session_of(http: httpx.AsyncClient) -> AsyncIterator[tuple[str, str]]:
    """Id and token of a session that looks for a document."""
    plan = {"plan": {"targets": ["TARGET_DOCUMENT_FRONT"], "reference": "door"}}
    made = (await http.post("/v1/sessions", json=plan)).json()
    session = made["session"]["id"]
    try:
        yield session, made["session_token"]
    finally:
        await http.post(f"/v1/sessions/{session}:cancel", json={})


@pytest.mark.requirement("R-WE2", "R-CA1")
@pytest.mark.parametrize("path", ["/v1/sessions/{id}/stream", "/face/stream/{id}"])
async def test_a_session_is_server_sent_events_that_resume_and_end_for_good(
    http: httpx.AsyncClient, path: str
) -> None:
    async with session_of(http) as (session, token):
        source = EventSource(f"{path.format(id=session)}?session_token={token}")
        [first] = await read(source, http, 1)
        assert (first.event, first.data["session_id"], first.data["sequence"]) == (
            "session_start",
            session,
            1,
        )
        assert first.id
        assert {"timestamp", "type", "data"} <= set(first.data)
        await http.post(f"/v1/sessions/{session}:cancel", json={"session_token": token})
        rest = await read(source, http, 1_000)
        assert [event.data["sequence"] for event in rest] == list(range(2, 2 + len(rest)))
        assert rest[-1].event == "session_end"
        assert await read(source, http, 1) == []
        assert source.status == 204
        # A watcher that comes late gets all of it.
        late = EventSource(f"{path.format(id=session)}?session_token={token}")
        assert [event.id for event in await read(late, http, 1_000)] == [event.id for event in [first, *rest]]


@pytest.mark.requirement("R-WE2", "R-CA1")
async def test_a_session_is_told_as_lines_and_over_a_socket(door: Door, http: httpx.AsyncClient) -> None:
    async with session_of(http) as (session, token):
        query = f"session_token={token}"
        url = f"{door.socket_url}/ws/sessions/{session}?{query}"
        async with connect(url, proxy=None, open_timeout=60) as socket, asyncio.timeout(60):
            names: list[str] = []
            while "session_start" not in names:
                message = json.loads(await socket.recv())
                names += [message["data"]["type"]] if message["type"] == "event" else []
            await http.post(f"/v1/sessions/{session}:cancel", json={"session_token": token})
            async for text in socket:
                message = json.loads(text)
                names += [message["data"]["type"]] if message["type"] == "event" else []
            assert names[-2:] == ["session_end", "disconnected"]
            assert socket.close_code == 1000
        told = await told_of(http, "GET", f"/v1/sessions/{session}/stream?{query}")
        assert "session_start" in told[1]["events"][0]
        assert told[1]["previous_cursor"] == told[0]["cursor"]
        aliased = await told_of(http, "GET", f"/face/stream/{session}?{query}")
        assert aliased[1]["events"][0] == told[1]["events"][0]


@pytest.mark.requirement("R-WE2", "R-CA10")
async def test_what_a_session_refuses_has_its_reason(http: httpx.AsyncClient) -> None:
    async with session_of(http) as (session, _):
        for path in (f"/v1/sessions/{session}/stream", f"/face/stream/{session}"):
            for accept in ("*/*", "text/event-stream"):
                guessed = await http.get(f"{path}?session_token=guess", headers={"accept": accept})
                assert (guessed.status_code, reason(guessed)) == (403, "SESSION_TOKEN_INVALID")
    nobody = await http.get(f"/face/stream/{NOBODY}?session_token=guess")
    assert (nobody.status_code, reason(nobody)) == (404, "SESSION_NOT_FOUND")


@pytest.mark.requirement("R-WE2")
async def test_the_numbers_of_sessions_have_two_addresses(http: httpx.AsyncClient) -> None:
    async with session_of(http) as (session, _):
        for path in ("/v1/sessions:statistics", "/face/stream/stats"):
            numbers = (await http.get(path)).json()
            assert session in {each["session_id"] for each in numbers["sessions"]}, path
