"""What other processes are dialled with is replaced while calls go on: streams stay, new calls are new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S
from fakes.certificates import Authority
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.dialled import Dialled
from vidence_server.runtime.own_calls import OwnCalls, PeerTls
from vidence_server.runtime.service_channel import ServiceChannel
from vidence_server.runtime.tls import server_credentials

pytestmark = pytest.mark.requirement("R-OP5")
WHO, TICKS = "/test.Door/Who", "/test.Door/Ticks"


@dataclass
class House:
    """A server that lets in who shows a certificate of its authorities, and the files of who calls it."""

    folder: Path
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        self.ca, self.client_ca = self.folder / "ca.pem", self.folder / "client-ca.pem"
        self.ca.write_bytes(self.authority.pem)
        self.client_ca.write_bytes(self.authority.pem)
        self.shown = self.authority.write(self.folder, "server")
        self.own = self.authority.write(self.folder, "caller")

    def peer(self) -> PeerTls:
        return PeerTls(TlsSettings(certificate=self.own[0], key=self.own[1], peer_ca=self.ca))

    def renew(self, name: str, authority: Authority) -> None:
        chain, key = authority.issue(name)
        self.own[0].write_bytes(chain)
        self.own[1].write_bytes(key)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        credentials = server_credentials(
            TlsSettings(
                certificate=self.shown[0],
                key=self.shown[1],
                client_ca=self.client_ca,
                require_client_certificate=True,
            )
        )
        assert credentials is not None
        server = grpc.aio.server()
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Who": grpc.unary_unary_rpc_method_handler(_who),
            "Ticks": grpc.unary_stream_rpc_method_handler(_ticks),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Door", handlers),))
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


async def _who(_request: bytes, context: Any) -> bytes:
    [name] = context.auth_context()["x509_common_name"]
    return bytes(name)


async def _ticks(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
    while True:
        yield b"tick"
        await asyncio.sleep(0.01)


async def who(channel: grpc.aio.Channel) -> str:
    call: Any = channel.unary_unary(WHO)
    answer: bytes = await call(b"", timeout=PATIENCE_S, wait_for_ready=True)
    return answer.decode()


async def test_a_renewed_certificate_is_shown_by_the_next_call_and_streams_stay(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.open() as address, Dialled(address, OwnCalls(house.peer()), ()) as dialled:
        first = dialled.channel()
        ticks: Any = first.unary_stream(TICKS)
        stream = ticks(b"")
        assert await stream.read() == b"tick"
        assert await who(first) == "caller"
        assert dialled.channel() is first
        house.renew("renewed", house.authority)
        assert await who(dialled.channel()) == "renewed"
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(20):
                assert await stream.read() == b"tick"
        stream.cancel()


async def test_another_authority_is_shown_and_believed_without_a_restart(tmp_path: Path) -> None:
    """As the relays of the services see it: both sides change, one file after another."""
    house, new = House(tmp_path), Authority("New authority")
    async with house.open() as address, ServiceChannel(address, OwnCalls(house.peer()), called="It") as own:
        assert await who(await own.ready()) == "caller"
        house.ca.write_bytes(house.authority.pem + new.pem)
        chain, key = new.issue("server of the new authority")
        house.shown[0].write_bytes(chain)
        house.shown[1].write_bytes(key)
        house.client_ca.write_bytes(new.pem)
        house.renew("caller of the new authority", new)
        assert await who(await own.ready()) == "caller of the new authority"


async def test_half_a_pair_and_a_broken_file_change_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    peer = house.peer()
    first = peer.credentials
    chain, key = house.authority.issue("renewed")
    house.own[0].write_bytes(chain)
    house.ca.write_text("no certificate")
    peer.look()
    assert peer.credentials is first
    house.own[1].write_bytes(key)
    peer.look()
    second = peer.credentials
    assert second is not first
    async with house.open() as address, Dialled(address, OwnCalls(peer), ()) as dialled:
        # It believes whom it believed before.
        assert await who(dialled.channel()) == "renewed"


async def test_channels_that_were_replaced_are_not_kept_for_ever(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.open() as address, Dialled(address, OwnCalls(house.peer()), ()) as dialled:
        ticks: Any = dialled.channel().unary_stream(TICKS)
        stream = ticks(b"")
        assert await stream.read() == b"tick"
        for number in range(5):
            house.renew(f"caller {number}", house.authority)
            assert await who(dialled.channel()) == f"caller {number}"
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(PATIENCE_S):
                while await stream.read() is not grpc.aio.EOF:
                    pass


async def test_a_socket_of_this_machine_is_dialled_in_plaintext(tmp_path: Path) -> None:
    own = OwnCalls(House(tmp_path).peer())
    assert own.credentials("unix:/run/vidence.sock") is None
    assert own.credentials("127.0.0.1:1") is not None


def test_authorities_that_are_none_are_told_at_the_start(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ca.write_text("no certificate")
    with pytest.raises(DomainError, match="holds no certificate") as refused:
        house.peer()
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
