"""The nginx file of the guide, run by Debian's nginx in front of Envoy."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from e2e.bridge_door import Door, grpc_web_frame, grpc_web_frames
from e2e.bus_process import free_port
from e2e.test_bridge_http import Curl, publish
from e2e_suite import LiveSuite
from eventually import eventually
from vidence.event.v1 import event_service_pb2 as pb

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(
    NGINX is None, reason="nginx is not installed; tools/system-packages installs it"
)


@pytest.fixture
def proxy(door: Door, tmp_path: Path) -> Iterator[int]:
    port = free_port()
    text = GUIDE.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{door.port}")
    (tmp_path / "nginx.conf").write_text(text.replace("127.0.0.1:8088", f"127.0.0.1:{port}"))
    assert NGINX is not None
    command = [NGINX, "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    process = subprocess.Popen(command)
    yield port
    process.terminate()
    process.wait(10)


async def up(port: int) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        except httpx.TransportError:
            return False

    await eventually(answers)


@pytest.mark.requirement("R-DO3", "R-WE1")
async def test_every_kind_of_stream_passes_nginx_message_by_message(
    door: Door, suite: LiveSuite, proxy: int
) -> None:
    await up(proxy)
    url = f"http://127.0.0.1:{proxy}"
    sse = Curl("-H", "Accept: text/event-stream", f"{url}/v1/events/stream?filter.types=proxy.*")
    lines = Curl(f"{url}/v1/events/stream?filter.types=proxy.*")
    request = pb.SubscribeRequest()
    request.filter.types.append("proxy.*")
    grpc_web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    body = grpc_web_frame(request.SerializeToString())
    path = "/vidence.event.v1.EventService/Subscribe"
    try:
        sse.until("event: connected")
        assert "control" in json.loads(lines.line())
        async with (
            connect(f"ws://127.0.0.1:{proxy}/ws/events?filter.types=proxy.*", proxy=None) as socket,
            httpx.AsyncClient(base_url=url, timeout=20) as client,
            client.stream("POST", path, content=body, headers=grpc_web) as stream,
        ):
            chunks = stream.aiter_raw()
            _, first = next(grpc_web_frames(await anext(chunks)))
            assert pb.SubscribeResponse.FromString(first).control.HasField("connected")
            while "connected" not in str(await socket.recv()):
                pass
            for number in range(2):
                publish(suite, f"proxy.{number}")
                sse.until(f"event: proxy.{number}")
                assert f"proxy.{number}" in lines.line()
                assert f"proxy.{number}".encode() in await anext(chunks)
                while f"proxy.{number}" not in str(await socket.recv()):
                    pass
    finally:
        sse.close()
        lines.close()


@pytest.mark.requirement("R-DO3")
async def test_a_picture_passes_nginx(proxy: int, door: Door, passport: bytes) -> None:
    await up(proxy)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy}", timeout=60) as client:
        answer = await client.post("/v1/documents:read", files={"file": ("a.jpg", passport)})
    assert answer.json()["document"]["document_type"] == "passport"
