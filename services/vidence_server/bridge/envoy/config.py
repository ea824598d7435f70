"""The whole configuration, as JSON, which Envoy reads as it reads YAML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidence_server.bridge.contract import Contract
from vidence_server.bridge.envoy.clusters import clusters
from vidence_server.bridge.envoy.filters import http_filters
from vidence_server.bridge.envoy.replies import local_replies
from vidence_server.bridge.envoy.routes import virtual_host
from vidence_server.bridge.envoy.transport import Secret, UpstreamTls, door_socket
from vidence_server.bridge.settings import BridgeSettings

Json = dict[str, Any]

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LIMIT = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"


@dataclass(frozen=True, slots=True)
class Files:
    """What the configuration names; paths as Envoy will see them."""

    descriptors: Path
    admin_socket: Path
    door: Secret | None = None
    """What the door for TLS shows; None: there is none."""
    upstream: UpstreamTls | None = None
    """How services are dialled; None: in plaintext."""


def envoy_config(contract: Contract, settings: BridgeSettings, files: Files) -> Json:
    """Envoy's bootstrap.

    Raises:
        DomainError: CONFIGURATION_INVALID where an address is none.
    """
    doors = [_listener("plain", settings.envoy.port, contract, settings, files)]
    if settings.envoy.tls_port is not None and files.door is not None:
        doors.append(_listener("tls", settings.envoy.tls_port, contract, settings, files))
    limit = {"@type": f"type.googleapis.com/{_LIMIT}"}
    limit["max_active_downstream_connections"] = str(settings.envoy.max_connections)
    return {
        "node": {"id": "vidence-bridge", "cluster": "vidence"},
        # A file, not a port: whoever may read the folder may ask.
        "admin": {"address": {"pipe": {"path": str(files.admin_socket), "mode": 0o600}}},
        "overload_manager": {
            "resource_monitors": [
                {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": limit}
            ]
        },
        "static_resources": {"listeners": doors, "clusters": clusters(contract, settings, files.upstream)},
    }


def _listener(name: str, port: int, contract: Contract, settings: BridgeSettings, files: Files) -> Json:
    chain: Json = {
        "filters": [
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": _manager(name, contract, settings, files),
            }
        ]
    }
    if name == "tls" and files.door is not None:
        chain["transport_socket"] = door_socket(files.door)
    return {
        "name": name,
        "address": {"socket_address": {"address": settings.envoy.host, "port_value": port}},
        "per_connection_buffer_limit_bytes": settings.envoy.buffer_bytes,
        "filter_chains": [chain],
    }


def _manager(name: str, contract: Contract, settings: BridgeSettings, files: Files) -> Json:
    services = [service for line in contract.lines for service in contract.services_of(line)]
    return {
        "@type": f"type.googleapis.com/{_MANAGER}",
        "stat_prefix": name,
        "codec_type": "AUTO",
        # Heartbeats show that a stream lives; a request's headers must come soon.
        "stream_idle_timeout": "0s",
        "request_timeout": "0s",
        "request_headers_timeout": "10s",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "http2_protocol_options": {
            "max_concurrent_streams": 1000,
            "initial_stream_window_size": settings.envoy.window_bytes,
            "initial_connection_window_size": 16 * settings.envoy.buffer_bytes,
            "connection_keepalive": {"interval": "30s", "timeout": "10s"},
        },
        "upgrade_configs": [{"upgrade_type": "websocket", "enabled": False}],
        "local_reply_config": local_replies(),
        "route_config": {"name": "vidence", "virtual_hosts": [virtual_host(contract, settings)]},
        "http_filters": http_filters(settings, descriptors=str(files.descriptors), services=services),
    }
