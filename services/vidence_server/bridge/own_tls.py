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
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(*self._paths)
        self._log = structlog.get_logger(__name__)

    async def look_after(self) -> None:
        """Looks at the files again and again, until it is cancelled."""
        changed = False
        while True:
            await asyncio.sleep(_LOOK_S)
            changed |= await asyncio.to_thread(self._looked)
            if changed and await asyncio.to_thread(self._taken):
                changed = False

    def _looked(self) -> bool:
        looked = [file.look() for file in self._files]  # each of them, whatever the first says
        return any(looked)

    def _taken(self) -> bool:
        """Files are replaced one after another: a certificate without its key yet is left for later."""
        try:
            check_pair(*(file.value for file in self._files))
            self.context.load_cert_chain(*self._paths)
        except (DomainError, OSError):
            return False
        self._log.info("certificate replaced")
        return True
