"""What browsers rely on: gRPC-Web, CORS, TLS with HTTP/2, pages, documents; and gRPC through the door."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.bridge_calls import publish, reason
from e2e.bridge_door import Door, grpc_web_frame, grpc_web_frames
from e2e_suite import LiveSuite
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.services import ALIASES

GRPCURL = str(Path(sys.executable).with_name("grpcurl"))
GRPC_WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
SERVICE = "/vidence.event.v1.EventService"
PAGE = {"origin": "http://localhost:5173"}
FOREIGN = {"origin": "https://elsewhere.example"}


def trailers(frame: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in frame.decode().splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


@pytest.mark.requirement("R-WE1")
async def test_grpc_web_answers_calls_and_tells_failures_in_its_trailers(door: Door) -> None:
    async with door.client() as client:
        body = grpc_web_frame(pb.GetStatisticsRequest().SerializeToString())
        answer = await client.post(f"{SERVICE}/GetStatistics", content=body, headers={**GRPC_WEB, **PAGE})
        (kind, message), (end, status) = grpc_web_frames(answer.content)
        assert (kind, end) == (0, 0x80)
        assert pb.GetStatisticsResponse.FromString(message).statistics.running
        assert trailers(status)["grpc-status"] == "0"
        assert answer.headers["access-control-allow-origin"] == PAGE["origin"]
        assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]
        wrong = grpc_web_frame(pb.GetEventRequest(cursor="nonsense").SerializeToString())
        failed = await client.post(f"{SERVICE}/GetEvent", content=wrong, headers=GRPC_WEB)
        told = dict(failed.headers) | {
            name: value
            for flag, frame in grpc_web_frames(failed.content)
            for name, value in trailers(frame).items()
            if flag == 0x80
        }
        assert told["grpc-status"] == "3"
        assert told["grpc-status-details-bin"]


@pytest.mark.requirement("R-WE1")
async def test_grpc_web_streams_message_by_message(door: Door, suite: LiveSuite) -> None:
    request = pb.SubscribeRequest()
    request.filter.types.append("web.*")
    body = grpc_web_frame(request.SerializeToString())
    async with (
        door.client() as client,
        client.stream("POST", f"{SERVICE}/Subscribe", content=body, headers=GRPC_WEB) as stream,
    ):
        assert stream.headers["x-accel-buffering"] == "no"
        chunks = stream.aiter_raw()
        buffer = b""

        async def message() -> pb.SubscribeResponse:
            nonlocal buffer
            while len(buffer) < 5 or len(buffer) < 5 + int.from_bytes(buffer[1:5], "big"):
                buffer += await anext(chunks)
            [(_, payload), *_rest] = grpc_web_frames(buffer)
            buffer = buffer[5 + len(payload) :]
            return pb.SubscribeResponse.FromString(payload)

        assert (await message()).control.HasField("connected")
        for number in range(3):
            publish(suite, f"web.{number}")
            assert (await message()).events[0].type == f"web.{number}"


@pytest.mark.requirement("R-WE1")
async def test_pages_from_elsewhere_are_refused_before_anything_happens(door: Door, suite: LiveSuite) -> None:
    body = {"events": [{"source": "evil", "type": "evil.done"}]}
    text = json.dumps(body)
    async with door.client() as client:
        before = (await client.get("/v1/events/statistics")).json()["statistics"].get("total_published")
        # A browser sends these without asking first; CORS would only hide the answers.
        plain = {**FOREIGN, "content-type": "text/plain"}
        refused = [
            await client.post("/v1/events:publish", content=text, headers=plain),
            await client.post("/v1/events:publishStream", content=text, headers=plain),
            await client.post("/v1/documents:read", files={"file": b"a"}, headers=FOREIGN),
        ]
        assert [(answer.status_code, reason(answer)) for answer in refused] == [(403, "ORIGIN_REFUSED")] * 3
        web = await client.post(f"{SERVICE}/GetStatistics", content=bytes(5), headers={**GRPC_WEB, **FOREIGN})
        assert web.headers["grpc-status"] == "7"
        after = (await client.get("/v1/events/statistics")).json()["statistics"].get("total_published")
        assert after == before
        own = await client.post("/v1/events:publish", json=body, headers=PAGE)
        assert own.status_code == 200
        renamed = await client.get("/v1/events", headers={"host": "rebound.example"})
        assert renamed.status_code == 404
        bridge = f"http://127.0.0.1:{door.bridge_port}/v1/events"
        direct = await client.get(bridge, headers={"host": "rebound.example"})
        assert direct.status_code == 400


@pytest.mark.requirement("R-WE1")
async def test_a_page_may_ask_first_and_learns_what_it_may_send(door: Door) -> None:
    async with door.client() as client:
        asked = {**PAGE, "access-control-request-method": "POST"}
        allowed = await client.options(f"{SERVICE}/Subscribe", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == PAGE["origin"]
        for name in ("x-grpc-web", "last-event-id", "authorization"):
            assert name in allowed.headers["access-control-allow-headers"]
        refused = await client.options(
            f"{SERVICE}/Subscribe", headers={**FOREIGN, "access-control-request-method": "POST"}
        )
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.requirement("R-WE1")
def test_tls_offers_http_2_and_twelve_streams_share_one_connection(door: Door) -> None:
    address = f"{door.tls_url}/v1/events/stream"
    command = ["curl", "-sN", "--cacert", str(door.certificate), "--http2", "--max-time", "3", "--parallel"]
    command += ["--parallel-max", "12", "--write-out", "%{stderr}\n%{http_version} %{num_connects}\n"]
    done = subprocess.run([*command, *[address] * 12], capture_output=True, text=True, check=False)
    assert done.stdout.count('"connected"') == 12
    versions = [line.split() for line in done.stderr.splitlines() if line.startswith("2 ")]
    assert len(versions) == 12
    assert sum(int(connects) for _, connects in versions) == 1
    assert (door.data / "envoy" / "localhost.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.requirement("R-WE1", "R-OP3")
@pytest.mark.parametrize("secure", [False, True])
def test_grpcurl_works_through_the_door(door: Door, *, secure: bool) -> None:
    where = (
        ["-cacert", str(door.certificate), door.tls_url.removeprefix("https://")]
        if secure
        else ["-plaintext", door.url.removeprefix("http://")]
    )
    listed = subprocess.run([GRPCURL, *where, "list"], capture_output=True, text=True, check=True)
    assert "vidence.event.v1.EventService" in listed.stdout
    call = [GRPCURL, *where, "vidence.event.v1.EventService/GetStatistics"]
    assert json.loads(subprocess.run(call, capture_output=True, check=True).stdout)["statistics"]["running"]


@pytest.mark.requirement("R-WE2", "R-OP3")
async def test_health_tells_each_service_by_name(door: Door) -> None:
    async with door.client() as client:
        answer = await client.get("/health")
    told = answer.json()
    assert answer.status_code == 200
    assert told["status"] in {"ok", "degraded"}
    assert told["version"]
    assert told["services"]["event"] == told["services"]["extraction"] == "serving"


@pytest.mark.requirement("R-WE3")
async def test_pages_come_with_strict_headers_and_nothing_outside_their_folder(door: Door) -> None:
    async with door.client() as client:
        page = await client.get("/", headers={"accept": "text/html"})
        assert "Vidence" in page.text
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        deep = await client.get("/dashboard/events", headers={"accept": "text/html"})
        assert deep.text == page.text
        for path in ("/missing.js", "/%2e%2e/app.py", "/..%2fapp.py"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.requirement("R-DO1")
async def test_the_documents_of_the_bridge_are_served(door: Door) -> None:
    async with door.client() as client:
        rest = (await client.get("/openapi.json")).json()
        sockets = (await client.get("/asyncapi.json")).json()
    assert rest["openapi"].startswith("3.1")
    assert "text/event-stream" in rest["paths"]["/v1/events/stream"]["get"]["responses"]["200"]["content"]
    assert sockets["channels"]["ws_events"]["address"] == "/ws/events"


TABLE = {
    "POST /v1/libraries",
    "POST /v1/libraries/x/documents/stream",
    "GET /v1/libraries/x/documents/stream",
    "POST /v1/libraries/x/search/stream",
    "GET /v1/events",
    "GET /v1/events/x",
    "GET /v1/events/stream",
    "GET /v1/events/statistics",
    "POST /v1/batches:process",
    "POST /v1/batches:processStream",
    "GET /v1/sessions/x/stream",
}
"""R-WE2, a line each; aliases mean one of them."""


def bound_lines(contract: Contract) -> set[str]:
    """The lines of the table that an RPC is bound to."""
    return {line for line in TABLE if contract.match(*line.split()) is not None}


@pytest.mark.requirement("R-WE2")
async def test_every_line_of_the_table_reaches_its_rpc_through_envoy(door: Door) -> None:
    """Services that do not run answer that they are away or know no such call, never of a wrong path."""
    contract = Contract(descriptor_bytes())
    bound = bound_lines(contract)
    assert bound == TABLE, f"no RPC is bound to {sorted(TABLE - bound)}"
    async with door.client() as client:
        for line in sorted(bound):
            verb, path = line.split()
            async with client.stream(verb, path) as answer:
                if answer.status_code == 404:
                    assert reason_of(await answer.aread()) != "PATH_UNKNOWN", line
        for alias in ALIASES:
            verb = "POST" if alias.startswith("/api/") else "GET"
            async with client.stream(verb, alias.replace("{id}", "ses_x")) as answer:
                if answer.status_code == 404:
                    assert reason_of(await answer.aread()) != "PATH_UNKNOWN", alias


def reason_of(body: bytes) -> str:
    details = json.loads(body).get("details") or [{}]
    return str(details[0].get("reason"))
