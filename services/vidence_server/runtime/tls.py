"""TLS of the gRPC port, with certificates that are replaced while the server runs."""

from __future__ import annotations

from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from vidence_server.access.watched_file import WatchedFile
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.settings import ServerSettings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
Configuration = tuple[bytes, bytes, bytes | None]
"""Chain, key and the authorities of clients, PEM."""


def check_exposure(server: ServerSettings, access: AccessSettings, tls: TlsSettings) -> None:
    """Lets nobody open a door by mistake: without credentials or TLS a server stays on the loopback.

    Raises:
        DomainError: CONFIGURATION_INVALID, with what to set.
    """
    if is_loopback(server.host):
        return
    problems = []
    if access.mode == "off" and not access.insecure:
        problems.append(
            "access.mode is off: set it on, with access.keys_file, access.jwt or access.certificates; "
            "or set access.insecure to let in whoever reaches it"
        )
    if tls.certificate is None and not tls.insecure:
        problems.append(
            "there is no TLS: set tls.certificate and tls.key; "
            "or set tls.insecure where a proxy or a mesh has it"
        )
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"The server would listen on {server.host}, but{listed}"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    return host.startswith(("unix:", "127.")) or host in _LOOPBACK


def server_credentials(settings: TlsSettings) -> grpc.ServerCredentials | None:
    """Credentials that look at the files before each handshake; None: plaintext.

    Raises:
        DomainError: CONFIGURATION_INVALID: files that cannot be read, or do not belong together.
    """
    if settings.certificate is None or settings.key is None:
        if settings.certificate or settings.key or settings.client_ca or settings.require_client_certificate:
            raise DomainError(Reason.CONFIGURATION_INVALID, "TLS needs both tls.certificate and tls.key.")
        return None
    if settings.require_client_certificate and settings.client_ca is None:
        raise DomainError(Reason.CONFIGURATION_INVALID, "tls.require_client_certificate needs tls.client_ca.")
    certificates = Certificates(settings.certificate, settings.key, settings.client_ca)
    return grpc.dynamic_ssl_server_credentials(
        certificates.configuration(),
        certificates.changed,  # type: ignore[arg-type]  # None is allowed, and means: as before
        require_client_authentication=settings.require_client_certificate,
    )


class Certificates:
    """The files of a server's certificate; gRPC asks for them from threads of its own."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        """Reads them; raises `DomainError`, CONFIGURATION_INVALID."""
        self._paths = (certificate, key, client_ca)
        self._files = [WatchedFile(path, read_bytes) for path in self._paths if path is not None]
        self._used = self._read()
        self._log = structlog.get_logger(__name__)

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What handshakes use."""
        chain, key, authorities = self._used
        return grpc.ssl_server_certificate_configuration([(key, chain)], authorities)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What handshakes use from now on; None: what they used before.

        Files are replaced one after another: a certificate without its key yet is left for later.
        """
        for file in self._files:
            file.look()
        try:
            found = self._read()
        except DomainError:
            return None
        if found == self._used:
            return None
        self._used = found
        self._log.info("certificate replaced")
        return self.configuration()

    def _read(self) -> Configuration:
        chain, key = self._files[0].value, self._files[1].value
        check_pair(chain, key)
        return chain, key, self._files[2].value if len(self._files) > 2 else None


def check_pair(chain: bytes, key: bytes) -> None:
    """Raises `DomainError`, CONFIGURATION_INVALID, where a certificate and a key are not one pair."""
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, IndexError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, "The certificate or the key of TLS is no PEM."
        ) from error
    plain = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*plain) != private.public_key().public_bytes(*plain):
        raise DomainError(Reason.CONFIGURATION_INVALID, "The key of TLS is not that of its certificate.")


def check_peers(settings: TlsSettings) -> None:
    """Looks whether other services can be dialled as the settings say.

    Raises:
        DomainError: CONFIGURATION_INVALID, where a file cannot be read or holds something else.
    """
    if settings.peer_ca is None:
        return
    read_authorities(settings.peer_ca)
    if (settings.certificate is None) != (settings.key is None):
        raise DomainError(Reason.CONFIGURATION_INVALID, "TLS needs both tls.certificate and tls.key.")
    if settings.certificate is not None and settings.key is not None:
        check_pair(read_bytes(settings.certificate), read_bytes(settings.key))


def read_authorities(path: Path) -> bytes:
    """A file of certificates, PEM; raises `DomainError`, CONFIGURATION_INVALID, where it holds none."""
    content = read_bytes(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise DomainError(Reason.CONFIGURATION_INVALID, f"{path}: holds no certificate in PEM.") from error
    return content


def read_bytes(path: Path) -> bytes:
    """A file; raises `DomainError`, CONFIGURATION_INVALID."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"{path}: {error.strerror or 'cannot be read'}."
        ) from error
