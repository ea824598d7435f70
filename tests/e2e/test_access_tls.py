"""TLS and mutual TLS on the gRPC port, certificates that are replaced, and doors that stay shut."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from eventually import PATIENCE_S
from fakes.access import KeyFile, all_methods, door_server, method_of, status_of_call, suite_settings
from fakes.certificates import Authority
from vidence.capture.v1 import capture_service_pb2 as capture
from vidence.event.v1 import event_pb2
from vidence_client import Client, Credentials, VidenceError
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.tls import server_credentials
from vidence_server.suite.opening import Suite, open_suite
from vidence_server.suite_settings import SuiteSettings

OPAQUE = event_pb2.OpaqueData(content_type="text/plain", content=b"x")


@asynccontextmanager
async def secure_bus(folder: Path, *, access: dict[str, Any], **tls: Any) -> AsyncIterator[Suite]:
    settings = suite_settings(folder, **access).model_dump()
    settings["tls"] |= tls
    async with open_suite(SuiteSettings.model_validate(settings), ("event",)) as suite:
        await suite.warm_up()
        yield suite


async def ask(suite: Suite, credentials: Credentials) -> int:
    """Publishes an event and lists those that there are."""
    async with Client(suite.server.address, credentials=credentials) as client:
        await client.events.publish(event_pb2.Event(source="test", type="thing.happened", opaque=OPAQUE))
        return sum([1 async for _ in client.events.list()])


@pytest.mark.requirement("R-OP5")
async def test_a_client_that_knows_the_authority_talks_over_tls(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    chain, key = authority.write(tmp_path, "server")
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("default")
    async with secure_bus(tmp_path, access={"keys_file": keys.path}, certificate=chain, key=key) as suite:
        assert await ask(suite, Credentials(api_key=text, ca=tmp_path / "ca.pem")) == 1
        (tmp_path / "other.pem").write_bytes(Authority().pem)
        for wrong in (Credentials(api_key=text), Credentials(api_key=text, ca=tmp_path / "other.pem")):
            with pytest.raises(VidenceError):
                await ask(suite, wrong)


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize("named_by", ["reader", "spiffe://test/reader"])
async def test_a_client_certificate_is_a_credential(named_by: str, tmp_path: Path) -> None:
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    chain, key = authority.write(tmp_path, "server")
    own = authority.write(tmp_path, "reader", uri="spiffe://test/reader")
    foreign = authority.write(tmp_path, "stranger")
    grants = {named_by: {"tenant": "default", "scopes": ["events.*"]}}
    tls = {"certificate": chain, "key": key, "client_ca": ca, "require_client_certificate": True}
    async with secure_bus(tmp_path, access={"certificates": grants}, **tls) as suite:
        assert await ask(suite, Credentials(ca=ca, certificate=own[0], key=own[1])) == 1
        with pytest.raises(VidenceError) as refused:
            await ask(suite, Credentials(ca=ca, certificate=foreign[0], key=foreign[1]))
        assert refused.value.reason == "CREDENTIAL_INVALID"
        with pytest.raises(VidenceError):  # none at all: the handshake fails
            await ask(suite, Credentials(ca=ca))


@pytest.mark.requirement("R-OP5")
async def test_a_replaced_certificate_is_shown_without_a_restart_half_a_pair_is_not(
    tmp_path: Path,
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    chain, key = authority.write(tmp_path, "server")
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("default")
    credentials = Credentials(api_key=text, ca=tmp_path / "ca.pem")
    async with (
        secure_bus(tmp_path, access={"keys_file": keys.path}, certificate=chain, key=key) as suite,
        Client(suite.server.address, credentials=credentials) as client,
        client.events.subscribe(from_start=True) as watching,
    ):
        assert await shown(suite) == "server"
        new_chain, new_key = authority.issue("renewed")
        chain.write_bytes(new_chain)
        assert await shown(suite) == "server"
        key.write_bytes(new_key)
        assert await shown(suite) == "renewed"
        # Connections that are open stay.
        assert await ask(suite, credentials) == 1
        async with asyncio.timeout(PATIENCE_S):
            assert (await anext(aiter(watching))).type == "thing.happened"


@pytest.mark.requirement("R-OP5", "R-CA10")
@pytest.mark.parametrize("named", ["somebody else", "proxy"])
async def test_a_session_token_is_enough_behind_a_proxy_that_shows_a_certificate(
    named: str, tmp_path: Path
) -> None:
    """Envoy's own certificate secures the connection; until it is named, it is nobody's credential."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    chain, key = authority.write(tmp_path, "server")
    own_chain, own_key = authority.issue("proxy")
    grants = {named: {"tenant": "default", "scopes": ["capture.create"]}}
    access = suite_settings(tmp_path, certificates=grants).access
    server = server_credentials(
        TlsSettings(certificate=chain, key=key, client_ca=ca, require_client_certificate=True)
    )
    shown = grpc.ssl_channel_credentials(authority.pem, own_key, own_chain)
    token = capture.GetSessionRequest(session_id="ses_1", session_token="x" * 43).SerializeToString()
    methods = {method.name: method for method in map(method_of, all_methods())}
    let_in, no, may_not = (
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    async with (
        door_server(access, credentials=server) as address,
        grpc.aio.secure_channel(address, shown) as channel,
    ):
        is_known = named == "proxy"
        # Who is named goes by their scopes: capture.create is not capture.session.
        assert await status_of_call(channel, methods["GetSession"], (), token) is (
            may_not if is_known else let_in
        )
        assert await status_of_call(channel, methods["CreateSession"], ()) is (let_in if is_known else no)


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize(
    ("access", "tls", "told"),
    [
        ({"mode": "off"}, {}, ["access.mode is off", "there is no TLS"]),
        ({"mode": "off", "insecure": True}, {}, ["there is no TLS"]),
        ({"mode": "off"}, {"insecure": True}, ["access.mode is off"]),
    ],
)
async def test_a_server_without_locks_does_not_listen_to_the_network(
    access: dict[str, Any], tls: dict[str, Any], told: list[str], tmp_path: Path
) -> None:
    settings = network_settings(tmp_path, access, tls)
    with pytest.raises(DomainError) as refused:
        async with open_suite(settings, ("event",)):
            pass
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
    assert refused.value.message.count("\n") == len(told)
    for words in told:
        assert words in refused.value.message


@pytest.mark.requirement("R-OP5")
async def test_a_server_listens_to_the_network_where_it_is_told_that_others_guard_it(tmp_path: Path) -> None:
    settings = network_settings(tmp_path, {"mode": "off", "insecure": True}, {"insecure": True})
    async with open_suite(settings, ("event",)) as suite:
        assert suite.server.port > 0


@pytest.mark.requirement("R-OP5")
async def test_a_server_that_could_let_nobody_in_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="nobody could be let in"):
        async with open_suite(suite_settings(tmp_path), ("event",)):
            pass


def network_settings(folder: Path, access: dict[str, Any], tls: dict[str, Any]) -> SuiteSettings:
    return SuiteSettings.model_validate(
        {
            "server": {"host": "0.0.0.0", "port": 0, "drain_accept_s": 0},  # noqa: S104 - what this is about
            "metrics": {"enabled": False},
            "storage": {"data_dir": folder},
            "access": access,
            "tls": tls,
        }
    )


async def shown(suite: Suite) -> str:
    """The common name of the certificate that a new connection is shown."""

    def ask_for_it() -> str:
        return ssl.get_server_certificate(("127.0.0.1", suite.server.port), timeout=PATIENCE_S)

    certificate = x509.load_pem_x509_certificate((await asyncio.to_thread(ask_for_it)).encode())
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
