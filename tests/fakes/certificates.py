"""A certificate authority for tests."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """Signs certificates."""

    name: str = "Test authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        builder = _builder(self.name, self.name, self.key.public_key(), timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(
        self, name: str, *, life: timedelta = timedelta(days=1), uri: str = "", host: str = ""
    ) -> tuple[bytes, bytes]:
        """A certificate for this machine, or for another host, and its key, PEM."""
        key = _new_key()
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        if host:
            names = [x509.DNSName(host)]
        if uri:
            names.append(x509.UniformResourceIdentifier(uri))
        builder = _builder(name, self.name, key.public_key(), life)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        chain = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, folder: Path, name: str, **options: object) -> tuple[Path, Path]:
        """Issues one into files; their paths."""
        chain, key = self.issue(name, **options)  # type: ignore[arg-type]  # those of `issue`
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_bytes(chain)
        paths[1].write_bytes(key)
        return paths


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + life)
    )
