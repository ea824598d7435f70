"""TLS of Envoy's doors and of what it dials, with files that it reads again when they are replaced."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_TYPES = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_LEAST = {"tls_minimum_protocol_version": "TLSv1_2"}


@dataclass(frozen=True, slots=True)
class Secret:
    """A certificate or authorities in a file of Envoy's own format (SDS).

    Only what comes from such a file is read again: Envoy watches the folder of the PEM files for whatever is
    moved into it, as Kubernetes, cert-manager and certbot replace files. Writing over a file is not seen.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """How services are dialled."""

    authorities: Secret
    """Sign the services' certificates."""
    own: Secret | None
    """What Envoy shows of itself; None: nothing."""


def write_pair(folder: Path, name: str, certificate: Path, key: Path) -> Secret:
    """Writes the secret of a certificate and its key; raises `OSError`."""
    pair = {"certificate_chain": _file(certificate), "private_key": _file(key)}
    return _write(folder, name, {"tls_certificate": {**pair, **_watched(certificate)}})


def write_authorities(folder: Path, name: str, authorities: Path) -> Secret:
    """Writes the secret of those whose certificates count; raises `OSError`."""
    return _write(
        folder, name, {"validation_context": {"trusted_ca": _file(authorities), **_watched(authorities)}}
    )


def door_socket(own: Secret) -> Json:
    """For a listener."""
    return _socket("DownstreamTlsContext", {**_common(["h2", "http/1.1"]), **_shown(own)})


def upstream_socket(host: str, tls: UpstreamTls, protocol: str) -> Json:
    """For a cluster whose certificate must be of this host.

    Args:
        host: A name, or an IP address, which the certificate must then hold as such.
        tls: How it is dialled.
        protocol: In ALPN's words: `h2`, `http/1.1`.
    """
    is_number = is_ip_address(host)
    name = {"san_type": "IP_ADDRESS" if is_number else "DNS", "matcher": {"exact": host}}
    common = {
        **_common([protocol]),
        **({} if tls.own is None else _shown(tls.own)),
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [name]},
            "validation_context_sds_secret_config": _reference(tls.authorities),
        },
    }
    return _socket("UpstreamTlsContext", common, **({} if is_number else {"sni": host}))


def is_ip_address(host: str) -> bool:
    """Whether it is no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _socket(kind: str, common: Json, **more: str) -> Json:
    config = {"@type": f"{_TYPES}.{kind}", "common_tls_context": common, **more}
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def _common(protocols: Sequence[str]) -> Json:
    return {"tls_params": _LEAST, "alpn_protocols": list(protocols)}


def _shown(own: Secret) -> Json:
    return {"tls_certificate_sds_secret_configs": [_reference(own)]}


def _reference(secret: Secret) -> Json:
    source = {"path_config_source": {"path": str(secret.path)}, "resource_api_version": "V3"}
    return {"name": secret.name, "sds_config": source}


def _write(folder: Path, name: str, what: Json) -> Secret:
    path = (folder / f"{name}.json").absolute()
    resource = {"@type": f"{_TYPES}.Secret", "name": name, **what}
    path.write_text(json.dumps({"resources": [resource]}, indent=1), encoding="utf-8")
    return Secret(name, path)


def _file(path: Path) -> Json:
    return {"filename": str(path.absolute())}


def _watched(path: Path) -> Json:
    return {"watched_directory": {"path": str(path.absolute().parent)}}
