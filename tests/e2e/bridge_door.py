"""The bridge and a real Envoy in processes of their own, in front of services that run elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from e2e.bus_process import free_port

_START_S = 60.0
_DRAIN_S = 10.0
"""`SERVER__DRAIN_GRACE_S` where a test sets none."""
_STOP_S = 10.0
"""What a process may take beyond its grace."""


class Door:
    """What browsers see.

    Args:
        data: Folder for Envoy's files and the certificate.
        upstream: Where the services are.
        settings: `VIDENCE_<KEY>` by key, such as `BRIDGE__SOCKET_PING_S`.
    """

    def __init__(self, data: Path, upstream: str, **settings: str) -> None:
        self.data = data
        self.port, self.tls_port, self.bridge_port = free_port(), free_port(), free_port()
        self.metrics_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://localhost:{self.tls_port}"
        self.socket_url = f"ws://127.0.0.1:{self.port}"
        self.certificate = data / "envoy" / "localhost.crt"
        self.environ = {
            "VIDENCE_DATA_DIR": str(data),
            "VIDENCE_METRICS__PORT": str(self.metrics_port),
            "VIDENCE_LOG__FORMAT": "json",
            "VIDENCE_BRIDGE__UPSTREAM": upstream,
            "VIDENCE_BRIDGE__PORT": str(self.bridge_port),
            "VIDENCE_BRIDGE__ENVOY__BRIDGE": f"127.0.0.1:{self.bridge_port}",
            "VIDENCE_BRIDGE__ENVOY__PORT": str(self.port),
            "VIDENCE_BRIDGE__ENVOY__TLS_PORT": str(self.tls_port),
            **{f"VIDENCE_{key}": value for key, value in settings.items()},
        }
        self.bridge: subprocess.Popen[bytes] | None = None
        self.envoy: subprocess.Popen[bytes] | None = None

    def start(self, service: str = "vidence.event.v1.EventService", *, asks: str = "") -> None:
        """Returns when Envoy has found the bridge, and the service healthy: by a path, where one is named."""
        self.start_bridge()
        self.envoy = self._run("envoy", "run")
        if asks:
            self._wait(lambda: httpx.get(f"{self.url}{asks}").status_code == 200)
            return
        path = f"/{service}/GetStatistics"
        self._wait(lambda: httpx.get(f"{self.url}/health").status_code == 200)
        self._wait(lambda: httpx.post(f"{self.url}{path}", headers=_GRPC_WEB, content=bytes(5)).text != "")
        if "EventService" in service:
            self._wait(lambda: httpx.get(f"{self.url}/v1/events/statistics").status_code == 200)

    def start_bridge(self) -> None:
        self.bridge = self._run("serve", "bridge")
        scheme = "https" if self.environ.get("VIDENCE_BRIDGE__TLS") else "http"
        url = f"{scheme}://127.0.0.1:{self.bridge_port}/openapi.json"
        self._wait(lambda: httpx.get(url, verify=False).status_code == 200)  # noqa: S501 - it only has to be there

    def stop_bridge(self, number: signal.Signals = signal.SIGTERM) -> int:
        process, self.bridge = self.bridge, None
        assert process is not None
        return self._stop(process, number)

    def close(self) -> None:
        for process in (self.bridge, self.envoy):
            if process is not None:
                self._stop(process, signal.SIGTERM)
        self.bridge = self.envoy = None

    def _stop(self, process: subprocess.Popen[bytes], number: signal.Signals) -> int:
        grace = float(self.environ.get("VIDENCE_SERVER__DRAIN_GRACE_S", _DRAIN_S))
        process.send_signal(number)
        try:
            return process.wait(grace + _STOP_S)
        finally:
            process.kill()
            process.wait()

    def admin(self, path: str) -> str:
        """What Envoy tells of itself."""
        transport = httpx.HTTPTransport(uds=str(self.data / "envoy" / "admin.sock"))
        with httpx.Client(transport=transport) as client:
            return client.get(f"http://envoy{path}").text

    def metrics_url(self) -> str:
        """What the bridge counts."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    def client(self) -> httpx.AsyncClient:
        """A client whose streams may be quiet."""
        return httpx.AsyncClient(base_url=self.url, timeout=httpx.Timeout(10, read=30))

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "vidence_server", *arguments],
            env={**os.environ, **self.environ},
            start_new_session=True,
        )

    def _wait(self, works: object) -> None:
        assert callable(works)
        limit = time.monotonic() + _START_S
        while True:
            for process in (self.bridge, self.envoy):
                assert process is None or process.poll() is None, f"{process.args!r} ended"
            try:
                if works():
                    return
            except httpx.TransportError:
                assert time.monotonic() < limit, "the door does not open"
            assert time.monotonic() < limit, "the door does not open"
            time.sleep(0.05)


_GRPC_WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}


@dataclass(frozen=True)
class Sse:
    """One event of an SSE stream, as an `EventSource` dispatches it."""

    id: str
    event: str
    data: dict[str, object]

    @property
    def is_told(self) -> bool:
        """Whether it is an event of the bus, not about the stream."""
        return self.event not in {"connected", "heartbeat", "gap", "disconnected", "failed"}


class EventSource:
    """Reads SSE by the rules of the HTML standard, one connection; the last id outlives it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self.status = 0

    @asynccontextmanager
    async def connect(self, client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[Sse]]:
        headers = {"accept": "text/event-stream", "cache-control": "no-cache"}
        if self.last_event_id:
            headers["last-event-id"] = self.last_event_id
        async with client.stream("GET", self.url, headers=headers) as response:
            self.status = response.status_code
            yield self._events(response)

    async def _events(self, response: httpx.Response) -> AsyncIterator[Sse]:
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "retry":
                    self.retry_ms = int(value)
                else:
                    fields[name] = value
                continue
            self.last_event_id = fields.get("id", self.last_event_id)
            if "data" in fields:
                yield Sse(self.last_event_id, fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}


def grpc_web_frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Flag and payload of each frame: 0 a message, 0x80 the trailers."""
    while body:
        size = int.from_bytes(body[1:5], "big")
        yield body[0], body[5 : 5 + size]
        body = body[5 + size :]


def grpc_web_frame(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def stopped_reader(port: int, path: str, *, accept: str) -> socket.socket:
    """A connection that asks for a stream and then reads nothing at all."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", port))
    peer.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n".encode())
    return peer
