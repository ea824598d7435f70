"""The certificate of the bridge's own door, replaced while others connect."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from fakes.certificates import Authority
from vidence_server.bridge.own_tls import OwnTls
from vidence_server.runtime.access_settings import TlsSettings

CONNECTIONS = 150


async def shown(port: int) -> str:
    """Common name of the certificate that a new connection is shown; raises `ssl.SSLError` without one."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    subject = x509.load_pem_x509_certificate(pem.encode()).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.requirement("R-OP5", "R-WE1")
async def test_who_connects_while_files_are_replaced_is_shown_the_old_or_the_new_one(tmp_path: Path) -> None:
    authority = Authority("Authority")
    certificate, key = authority.write(tmp_path, "door")
    own = OwnTls(TlsSettings(certificate=certificate, key=key))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=own.context)
    port = server.sockets[0].getsockname()[1]
    over = asyncio.Event()

    def replace() -> None:
        for number in range(10**6):
            if over.is_set():
                return
            chain, secret = authority.issue(f"door {number % 2}")
            certificate.write_bytes(chain)
            key.write_bytes(secret)
            own.look()

    replacing = asyncio.create_task(asyncio.to_thread(replace))
    try:
        seen = {await shown(port) for _ in range(CONNECTIONS)}
    finally:
        over.set()
        await replacing
        server.close()
    assert {"door 0", "door 1"} <= seen <= {"door", "door 0", "door 1"}
