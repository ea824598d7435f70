"""How processes of the suite call each other: TLS and a key of their own, where the settings say so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import grpc
import structlog

from vidence_server.access.watched_file import WatchedFile
from vidence_server.core.errors import DomainError
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.interceptors.access import API_KEY, TENANT_KEY
from vidence_server.runtime.tls import check_pair, check_peers, read_authorities, read_bytes

Presented = tuple[bytes | None, bytes | None, bytes | None]
"""Whom to believe, and the key and chain to show, PEM."""


class PeerTls:
    """With what other services are dialled; read again when the files have changed."""

    def __init__(self, tls: TlsSettings) -> None:
        """Reads the files.

        Raises:
            DomainError: CONFIGURATION_INVALID: one cannot be read, or does not belong to the others.
        """
        check_peers(tls)
        paths = (tls.peer_ca, tls.key, tls.certificate)
        reads = (read_authorities, read_bytes, read_bytes)
        self._files = [
            None if path is None else WatchedFile(path, read) for path, read in zip(paths, reads, strict=True)
        ]
        self._used = self._shown()
        self._check(self._used)
        self._credentials = grpc.ssl_channel_credentials(*self._used)
        self._log = structlog.get_logger(__name__)

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """For new channels; another object as soon as there is something else to show or to believe."""
        return self._credentials

    def look(self) -> None:
        """Takes the files where they have changed; they are small, and a look blocks a moment.

        Files are replaced one after another: a certificate without its key yet is left for later.
        """
        for file in self._files:
            if file is not None:
                file.look()
        found = self._shown()
        if found == self._used:
            return
        with suppress(DomainError):
            self._check(found)
            self._used = found
            self._credentials = grpc.ssl_channel_credentials(*found)
            self._log.info("certificate replaced", of="calls to other services")

    def _shown(self) -> Presented:
        authorities, key, chain = (None if file is None else file.value for file in self._files)
        return authorities, key, chain

    @staticmethod
    def _check(presented: Presented) -> None:
        _, key, chain = presented
        if key is not None and chain is not None:
            check_pair(chain, key)


@dataclass(frozen=True, slots=True)
class OwnCalls:
    """What calls of this process to others carry. The default: nothing, in plaintext."""

    peer: PeerTls | None = None
    key: WatchedFile[bytes] | None = None

    def credentials(self, address: str) -> grpc.ChannelCredentials | None:
        """With what an address is dialled by now; None: in plaintext."""
        if self.peer is None or address.startswith("unix:"):
            return None
        self.peer.look()
        return self.peer.credentials

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
    return OwnCalls(peer_tls(tls), key)


def peer_tls(tls: TlsSettings) -> PeerTls | None:
    """With what other services are dialled; None: in plaintext.

    Raises:
        DomainError: CONFIGURATION_INVALID: a file cannot be read, or does not belong to the others.
    """
    return None if tls.peer_ca is None else PeerTls(tls)
