"""TLS of the bridge's own door, with a certificate that is replaced while it runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import structlog

from vidence_server.access.watched_file import WatchedFile
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.tls import check_pair, read_bytes

_LOOK_S = 1.0


class OwnTls:
    """The certificate that the bridge shows; new connections get what the files hold now."""

    def __init__(self, tls: TlsSettings) -> None:
        """Reads the files.

        Raises:
            DomainError: CONFIGURATION_INVALID: one is not set, cannot be read, or is not of the other.
        """
        if tls.certificate is None or tls.key is None:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, "bridge.tls needs both tls.certificate and tls.key."
            )
        self._paths: tuple[Path, Path] = (tls.certificate, tls.key)
        self._files = [WatchedFile(path, read_bytes) for path in self._paths]
        check_pair(*(file.value for file in self._files))
        self._newest = self._loaded()
        self.context = self._loaded()
        """For the server. It stays as it is: who connects while files are loaded into it would fail."""
        self.context.sni_callback = self._choose
        self._changed = False
        self._log = structlog.get_logger(__name__)

    async def look_after(self) -> None:
        """Looks at the files again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Takes the files where they have changed and belong together."""
        looked = [file.look() for file in self._files]  # each of them, whatever the first says
        self._changed |= any(looked)
        if self._changed and self._taken():
            self._changed = False
            self._log.info("certificate replaced")

    def _taken(self) -> bool:
        """Files are replaced one after another: a certificate without its key yet is left for later."""
        try:
            check_pair(*(file.value for file in self._files))
            self._newest = self._loaded()
        except (DomainError, OSError):
            return False
        return True

    def _loaded(self) -> ssl.SSLContext:
        """A context with what the files hold now; raises `OSError` where they do not belong together."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._paths)
        return context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Gives a new connection the newest context; called for each, whether it names a server or not."""
        connection.context = self._newest
