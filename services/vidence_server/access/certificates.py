"""Client certificates as credentials: TLS has verified them, the settings say whom they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from vidence_server.access import refusals
from vidence_server.access.principal import Principal
from vidence_server.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a certificate may."""

    tenant: str
    scopes: tuple[str, ...]


class CertificateBook:
    """The subjects that a server knows: common names, DNS names or URIs (SPIFFE) of client certificates."""

    def __init__(self, grants: Mapping[str, Grant], clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    def knows(self, pem: bytes) -> bool:
        """Whether a certificate is a credential here; that of a proxy only secures the connection."""
        try:
            return not self._grants.keys().isdisjoint(_names(x509.load_pem_x509_certificate(pem)))
        except ValueError:
            return False

    def principal(self, pem: bytes) -> Principal:
        """Who a certificate names; raises `DomainError`, CREDENTIAL_INVALID or CREDENTIAL_EXPIRED."""
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            names = _names(certificate)
        except ValueError:
            raise refusals.invalid() from None
        name = next((name for name in names if name in self._grants), None)
        if name is None:
            raise refusals.invalid()
        expire_time = certificate.not_valid_after_utc
        if expire_time <= self._clock.now():
            raise refusals.expired()
        grant = self._grants[name]
        return Principal(f"certificate {name}", grant.tenant, grant.scopes, expire_time)


def _names(certificate: x509.Certificate) -> list[str]:
    found: list[str] = []
    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found += other.get_values_for_type(x509.UniformResourceIdentifier)
        found += other.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        pass
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return found + [str(attribute.value) for attribute in common]
