"""A certificate for this machine, for development: TLS is what gives browsers HTTP/2."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

DAYS = 365
_RENEW_S = 7 * 86_400
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1"


def development_certificate(folder: Path) -> tuple[Path, Path] | None:
    """Certificate and key of `localhost`, made where there is none that lasts another week.

    Args:
        folder: Where both are kept, readable by their owner only.

    Returns:
        The two paths; None where this machine has no `openssl` to make them with.
    """
    openssl = shutil.which("openssl")
    certificate, key = folder / "localhost.crt", folder / "localhost.key"
    if openssl is None:
        return (certificate, key) if certificate.exists() and key.exists() else None
    if not _lasts(openssl, certificate) or not key.exists():
        _make(openssl, certificate, key)
    return certificate, key


def _lasts(openssl: str, certificate: Path) -> bool:
    if not certificate.exists():
        return False
    command = [openssl, "x509", "-in", str(certificate), "-noout", "-checkend", str(_RENEW_S)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603  # no shell, own paths


def _make(openssl: str, certificate: Path, key: Path) -> None:
    key.touch(mode=0o600)
    key.chmod(0o600)
    command = [openssl, "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", str(DAYS), "-subj", "/CN=localhost"]
    command += ["-addext", _NAMES, "-addext", "extendedKeyUsage=serverAuth"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # no shell, own paths
