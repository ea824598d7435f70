"""Envoy and the bridge dial services with TLS: both sides show certificates, a wrong one is no service."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from e2e.bridge_door import Door, EventSource
from e2e.bus_process import BusProcess
from eventually import PATIENCE_S
from fakes.certificates import Authority
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc

NUMBERS = "/v1/events/statistics"


@dataclass
class House:
    """An authority, a bus that has its certificate, and the files of who calls the bus."""

    folder: Path
    authority: Authority
    bus: BusProcess
    certificate: Path
    key: Path
    ca: Path

    @classmethod
    def of(cls, folder: Path, *, host: str = "", **settings: str) -> House:
        authority = Authority()
        ca = folder / "ca.pem"
        ca.write_bytes(authority.pem)
        certificate, key = authority.write(folder, "service", host=host)
        secured = {"TLS__CERTIFICATE": str(certificate), "TLS__KEY": str(key), **settings}
        return cls(folder, authority, BusProcess(folder / "bus", **secured), certificate, key, ca)

    def door(self, name: str, ca: Path, **settings: str) -> Door:
        data = self.folder / name
        return Door(data, self.bus.address, TLS__PEER_CA=str(ca), **settings)


def both_ways(folder: Path) -> House:
    """A bus that takes no connection without a certificate."""
    required = {"TLS__CLIENT_CA": str(folder / "ca.pem"), "TLS__REQUIRE_CLIENT_CERTIFICATE": "true"}
    return House.of(folder, **required)


@asynccontextmanager
async def running(house: House, *doors: Door, path: str = NUMBERS) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(house.bus.start)
        for door in doors:
            await asyncio.to_thread(partial(door.start, asks=path))
        yield
    finally:
        for door in doors:
            await asyncio.to_thread(door.close)
        await asyncio.to_thread(house.bus.close)


def replace(path: Path, content: bytes) -> None:
    """As certbot and Kubernetes do: whoever reads it finds the old file or the new one."""
    written = path.with_suffix(".new")
    written.write_bytes(content)
    written.replace(path)


@pytest.mark.requirement("R-OP5", "R-WE1")
@pytest.mark.timeout(180)
async def test_calls_health_checks_and_streams_pass_over_mutual_tls(tmp_path: Path) -> None:
    house = both_ways(tmp_path)
    certificate, key = house.authority.write(tmp_path, "envoy")
    own = {"TLS__CERTIFICATE": str(certificate), "TLS__KEY": str(key), "BRIDGE__TLS": "true"}
    door = house.door("door", house.ca, **own)
    async with running(house, door), door.client() as client:
        # By Envoy itself, over gRPC and over JSON …
        async with grpc.aio.insecure_channel(f"127.0.0.1:{door.port}") as channel:
            event = event_pb2.Event(source="till", type="till.closed", id="1")
            await pb_grpc.EventServiceStub(channel).Publish(pb.PublishRequest(events=[event]))
        assert (await client.get(NUMBERS)).status_code == 200
        # … and by the bridge behind it: its own TLS, and the services' beyond.
        source = EventSource("/v1/events/stream?position=START_POSITION_EARLIEST")
        async with asyncio.timeout(PATIENCE_S), source.connect(client) as events:
            told = await anext(sse async for sse in events if sse.is_told)
        assert told.data["data"]["id"] == "1"  # type: ignore[index]  # JSON
        health = (await client.get("/health")).json()
        assert health["services"]["event"] == "serving"
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{door.bridge_port}/health")
        stats = await asyncio.to_thread(door.admin, "/stats?filter=cluster.service_event")
        assert number(stats, "cluster.service_event.ssl.handshake") > 0
        assert number(stats, "cluster.service_event.health_check.success") > 0
        assert number(stats, "cluster.service_event.membership_healthy") == 1


@pytest.mark.requirement("R-OP5", "R-WE1")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("wrong", ["authority", "name", "plaintext", "nothing shown"])
async def test_a_service_that_tls_does_not_agree_on_is_unavailable_and_health_says_why(
    wrong: str, tmp_path: Path
) -> None:
    told = "is not trusted"
    if wrong == "nothing shown":
        # A service that refuses whoever calls says so to nobody; its log has it.
        told = "cannot be reached"
        house = both_ways(tmp_path)
    else:
        house = House.of(tmp_path, host="elsewhere.example" if wrong == "name" else "")
    ca = house.ca
    if wrong == "authority":
        ca = tmp_path / "other.pem"
        ca.write_bytes(Authority().pem)
    if wrong == "plaintext":
        house.bus = BusProcess(tmp_path / "bus")
    door = house.door("door", ca)
    async with running(house, door, path="/openapi.json"), door.client() as client:

        async def no_healthy_upstream() -> bool:
            refused = await client.get(NUMBERS)
            assert refused.status_code == 503
            body = refused.json()
            assert body["details"][0]["reason"] == "NOT_READY"
            return "no healthy upstream" in body["message"]

        async with asyncio.timeout(PATIENCE_S):
            # The first health checks take a moment; the answer is 503 all the time.
            while not await no_healthy_upstream():  # noqa: ASYNC110 - Envoy tells nobody
                await asyncio.sleep(0.05)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{door.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await pb_grpc.EventServiceStub(channel).GetStatistics(pb.GetStatisticsRequest())
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        health = await client.get("/health")
        assert health.status_code == 503
        assert health.json()["services"]["event"] == (
            "unreachable" if wrong == "nothing shown" else "untrusted"
        )
        refused = await client.get(f"http://127.0.0.1:{door.bridge_port}{NUMBERS}")
        assert refused.status_code == 503
        assert refused.json()["details"][0]["reason"] == "NOT_READY"
        assert told in refused.json()["message"]


@pytest.mark.requirement("R-OP5", "R-WE1")
@pytest.mark.timeout(180)
async def test_envoy_and_the_bridge_take_replaced_files_without_a_restart(tmp_path: Path) -> None:
    house = both_ways(tmp_path)
    own, own_key = house.authority.write(tmp_path, "envoy")
    shown, shown_key = house.authority.write(tmp_path, "door")
    settings = {
        "TLS__CERTIFICATE": str(own),
        "TLS__KEY": str(own_key),
        "BRIDGE__TLS": "true",
        "BRIDGE__ENVOY__CERTIFICATE": str(shown),
        "BRIDGE__ENVOY__KEY": str(shown_key),
    }
    door = house.door("door", house.ca, **settings)
    async with running(house, door), door.client() as client:
        assert await common_name(door.tls_port) == "door"
        # Another authority signs everything from now on; first, everybody believes both.
        new = Authority("New authority")
        replace(house.ca, house.authority.pem + new.pem)
        for name, (certificate, key) in {
            "service": (house.certificate, house.key),
            "envoy": (own, own_key),
            "door": (shown, shown_key),
        }.items():
            chain, secret = new.issue(f"renewed {name}")
            replace(certificate, chain)
            replace(key, secret)
        for port, name in ((door.tls_port, "renewed door"), (door.bridge_port, "renewed envoy")):
            await until_shown(port, name)
        # The bus believes the new authority only, so who calls it has to show the new certificate.
        replace(house.ca, new.pem)
        await asyncio.to_thread(house.bus.stop)
        await asyncio.to_thread(house.bus.start)
        async with asyncio.timeout(PATIENCE_S):
            while (await client.get(NUMBERS)).status_code != 200:  # noqa: ASYNC110 - Envoy tells nobody
                await asyncio.sleep(0.05)

        async def seen_by_the_bridge() -> bool:
            states = (await client.get("/health")).json()["services"]
            return bool(states["event"] == "serving")

        # The bridge dials by itself: it shows its new certificate too, and believes the new authority.
        async with asyncio.timeout(PATIENCE_S):
            while not await seen_by_the_bridge():  # noqa: ASYNC110 - who asks is told
                await asyncio.sleep(0.05)


async def until_shown(port: int, name: str) -> None:
    shown: list[str] = []

    async def look() -> bool:
        shown.append(await common_name(port))
        return shown[-1] == name

    async with asyncio.timeout(PATIENCE_S):
        while not await look():  # noqa: ASYNC110 - files are looked at, nobody tells
            await asyncio.sleep(0.05)


async def common_name(port: int) -> str:
    """Of the certificate that a new connection is shown."""

    def ask() -> str:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE_S)

    certificate = x509.load_pem_x509_certificate((await asyncio.to_thread(ask)).encode())
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def number(stats: str, name: str) -> int:
    [value] = [line.partition(": ")[2] for line in stats.splitlines() if line.startswith(f"{name}: ")]
    return int(value)
