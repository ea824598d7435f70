"""How processes of the suite call each other: TLS and a key of their own, where the settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from vidence_server.access.watched_file import WatchedFile
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.interceptors.access import API_KEY, TENANT_KEY
from vidence_server.runtime.tls import check_peers, read_bytes


@dataclass(frozen=True, slots=True)
class OwnCalls:
    """What calls of this process to others carry. The default: nothing, in plaintext."""

    credentials: grpc.ChannelCredentials | None = None
    key: WatchedFile[bytes] | None = None

    def channel(self, address: str, options: Sequence[tuple[str, Any]]) -> grpc.aio.Channel:
        """A channel to another process."""
        if self.credentials is None or address.startswith("unix:"):
            return grpc.aio.insecure_channel(address, options=options)
        return grpc.aio.secure_channel(address, self.credentials, options=options)

    def metadata(self, tenant: str = "") -> tuple[tuple[str, str], ...]:
        """What each call carries; the key's file is small, and looked at each time."""
        if self.key is None:
            return ()
        self.key.look()
        carried = [(API_KEY, self.key.value.decode("ascii", "replace").strip())]
        return tuple([*carried, (TENANT_KEY, tenant)] if tenant else carried)


def own_calls(access: AccessSettings, tls: TlsSettings) -> OwnCalls:
    """As the settings say.

    Raises:
        DomainError: CONFIGURATION_INVALID: a file cannot be read.
    """
    key = None if access.own_key_file is None else WatchedFile(access.own_key_file, read_bytes)
    return OwnCalls(peer_credentials(tls), key)


def peer_credentials(tls: TlsSettings) -> grpc.ChannelCredentials | None:
    """With what other services are dialled; None: in plaintext.

    Raises:
        DomainError: CONFIGURATION_INVALID: a file cannot be read, or does not belong to the others.
    """
    check_peers(tls)
    if tls.peer_ca is None:
        return None
    own = [_read(path) for path in (tls.key, tls.certificate)]
    return grpc.ssl_channel_credentials(read_bytes(tls.peer_ca), *own)


def _read(path: Path | None) -> bytes | None:
    return None if path is None else read_bytes(path)
