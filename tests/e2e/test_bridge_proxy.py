"""The proxies of the guide, as Debian has them, in front of Envoy: each file as it stands there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from websockets.asyncio.client import connect

from e2e.bridge_calls import Curl, publish
from e2e.bridge_door import Door, grpc_web_frame, grpc_web_frames, stopped_reader
from e2e.bus_process import free_port
from e2e_suite import LiveSuite
from eventually import eventually
from vidence.event.v1 import event_service_pb2 as pb

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
GRPCURL = str(Path(sys.executable).with_name("grpcurl"))


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs; the second door is TLS with HTTP/2, where its file has one."""

    port: int
    tls_port: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def installed(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed; tools/system-packages installs it")
    return path


@contextmanager
def running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def nginx(door: Door, folder: Path) -> Iterator[Proxy]:
    program, port = installed("nginx"), free_port()
    text = (GUIDES / "nginx.conf").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{door.port}")
    file = folder / "nginx.conf"
    file.write_text(text.replace("127.0.0.1:8088", f"127.0.0.1:{port}"))
    with running(program, "-p", str(folder), "-e", "stderr", "-c", str(file)):
        yield Proxy(port)


@contextmanager
def haproxy(door: Door, folder: Path) -> Iterator[Proxy]:
    program, port, tls_port = installed("haproxy"), free_port(), free_port()
    pem = folder / "vidence.pem"
    key = door.certificate.with_suffix(".key")
    pem.write_text(door.certificate.read_text() + key.read_text())
    text = (GUIDES / "haproxy.cfg").read_text()
    for written, here in {
        "127.0.0.1:8080": f"127.0.0.1:{door.port}",
        "127.0.0.1:8088": f"127.0.0.1:{port}",
        "127.0.0.1:8444": f"127.0.0.1:{tls_port}",
        "/etc/haproxy/vidence.pem": str(pem),
    }.items():
        assert written in text
        text = text.replace(written, here)
    (folder / "haproxy.cfg").write_text(text)
    # A warning of the file ends it: nobody should copy one that HAProxy complains about.
    with running(program, "-db", "-dW", "-f", str(folder / "haproxy.cfg")):
        yield Proxy(port, tls_port)


Started = Callable[[Door, Path], AbstractContextManager[Proxy]]


@pytest.fixture(params=[nginx, haproxy], ids=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, door: Door, tmp_path: Path) -> Iterator[Proxy]:
    start: Started = request.param
    with start(door, tmp_path) as started:
        yield started


@pytest.fixture
def tls_proxy(door: Door, tmp_path: Path) -> Iterator[Proxy]:
    """The one whose file has TLS."""
    with haproxy(door, tmp_path) as started:
        yield started


async def up(proxy: Proxy) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"{proxy.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    await eventually(answers)


@pytest.mark.requirement("R-DO3", "R-WE1")
async def test_every_kind_of_stream_passes_the_proxy_message_by_message(
    suite: LiveSuite, proxy: Proxy
) -> None:
    await up(proxy)
    sse = Curl("-H", "Accept: text/event-stream", f"{proxy.url}/v1/events/stream?filter.types=proxy.*")
    lines = Curl(f"{proxy.url}/v1/events/stream?filter.types=proxy.*")
    request = pb.SubscribeRequest()
    request.filter.types.append("proxy.*")
    grpc_web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    body = grpc_web_frame(request.SerializeToString())
    path = "/vidence.event.v1.EventService/Subscribe"
    try:
        sse.until("event: connected")
        assert "control" in json.loads(lines.line())
        async with (
            connect(f"ws://127.0.0.1:{proxy.port}/ws/events?filter.types=proxy.*", proxy=None) as socket,
            httpx.AsyncClient(base_url=proxy.url, timeout=60) as client,
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
async def test_a_picture_passes_the_proxy(proxy: Proxy, passport: bytes) -> None:
    await up(proxy)
    async with httpx.AsyncClient(base_url=proxy.url, timeout=60) as client:
        answer = await client.post("/v1/documents:read", files={"file": ("a.jpg", passport)})
    assert answer.json()["document"]["document_type"] == "passport"


@pytest.mark.requirement("R-DO3", "R-WE1")
async def test_a_reader_that_stops_holds_up_nobody_else_behind_the_proxy(
    suite: LiveSuite, proxy: Proxy
) -> None:
    await up(proxy)
    stopped = stopped_reader(proxy.port, "/v1/events/stream?filter.types=flood.*", accept="text/event-stream")
    reading = Curl(f"{proxy.url}/v1/events/stream?filter.types=flood.*")
    try:
        assert "control" in json.loads(reading.line())
        told = 0
        noise = AnyMessage(type_url="type.example/flood.Noise", value=bytes(20_000))
        for number in range(30):
            # Together more than the buffers on the way to the one that does not read.
            publish(suite, *[f"flood.{number}"] * 20, data=noise)
            while told < 20 * (number + 1):
                told += len(json.loads(reading.line()).get("events", []))
    finally:
        stopped.close()
        reading.close()


@pytest.mark.requirement("R-DO3", "R-WE1")
async def test_twelve_streams_share_one_connection_to_the_proxy(tls_proxy: Proxy, door: Door) -> None:
    await up(tls_proxy)
    address = f"https://localhost:{tls_proxy.tls_port}/v1/events/stream"
    command = ["curl", "-sN", "--cacert", str(door.certificate), "--http2", "--max-time", "5", "--parallel"]
    command += ["--parallel-max", "12", "--write-out", "%{stderr}\n%{http_version} %{num_connects}\n"]
    done = subprocess.run([*command, *[address] * 12], capture_output=True, text=True, check=False)
    assert done.stdout.count('"connected"') == 12
    versions = [line.split() for line in done.stderr.splitlines() if line.startswith("2 ")]
    assert [len(versions), sum(int(connects) for _, connects in versions)] == [12, 1]


@pytest.mark.requirement("R-DO3", "R-WE1")
async def test_native_grpc_passes_the_proxy_next_to_pages(tls_proxy: Proxy, door: Door) -> None:
    await up(tls_proxy)
    command = [GRPCURL, "-cacert", str(door.certificate), f"localhost:{tls_proxy.tls_port}"]
    called = subprocess.run(
        [*command, "vidence.event.v1.EventService/GetStatistics"], capture_output=True, check=True
    )
    assert json.loads(called.stdout)["statistics"]["running"]
