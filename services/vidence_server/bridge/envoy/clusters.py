"""Where requests go: one upstream per service, watched by its own health, and the bridge."""

from __future__ import annotations

from typing import Any

from vidence_server.bridge.contract import Contract
from vidence_server.bridge.envoy.routes import BRIDGE_CLUSTER, cluster_name
from vidence_server.bridge.envoy.transport import UpstreamTls, is_ip_address, upstream_socket
from vidence_server.bridge.services import ServiceLine
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.core.errors import DomainError, Reason

Json = dict[str, Any]

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(contract: Contract, settings: BridgeSettings, tls: UpstreamTls | None) -> list[Json]:
    """All upstreams.

    Args:
        contract: What is offered.
        settings: Where it is.
        tls: How services are dialled, their health checks too; None: in plaintext.

    Raises:
        DomainError: CONFIGURATION_INVALID where an address is none.
    """
    buffer_bytes = settings.envoy.buffer_bytes
    services = [
        _service(
            line,
            contract.services_of(line)[0],
            settings.upstreams.get(line.name, settings.upstream),
            settings,
            tls,
        )
        for line in contract.lines
    ]
    bridge = {
        **_cluster(BRIDGE_CLUSTER, settings.envoy.bridge, settings),
        **_secured(settings.envoy.bridge, tls if settings.tls else None, "http/1.1"),
        "per_connection_buffer_limit_bytes": buffer_bytes,
        # The bridge keeps idle connections for less time than this; never send on one that it just closed.
        "typed_extension_protocol_options": {
            _OPTIONS: {
                "@type": f"type.googleapis.com/{_OPTIONS}",
                "common_http_protocol_options": {"idle_timeout": "30s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }
    return [*services, bridge]


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[::1]:port`.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"The address {address!r} is not host:port, which Envoy needs.",
        )
    return host.strip("[]"), int(port)


def _service(
    line: ServiceLine, service: str, address: str, settings: BridgeSettings, tls: UpstreamTls | None
) -> Json:
    check = {
        "timeout": "1s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        # A server that comes back is used again within half a second.
        "unhealthy_interval": "0.5s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "grpc_health_check": {"service_name": service},
    }
    http2 = {
        "initial_stream_window_size": settings.envoy.window_bytes,
        "initial_connection_window_size": 16 * settings.envoy.buffer_bytes,
        "connection_keepalive": {"interval": "30s", "timeout": "10s"},
    }
    return {
        **_cluster(cluster_name(line), address, settings),
        **_secured(address, tls, "h2"),
        "per_connection_buffer_limit_bytes": settings.envoy.buffer_bytes,
        "lb_policy": "MAGLEV" if line.sticky else "LEAST_REQUEST",
        "health_checks": [check],
        "typed_extension_protocol_options": {
            _OPTIONS: {
                "@type": f"type.googleapis.com/{_OPTIONS}",
                "common_http_protocol_options": {"idle_timeout": "3600s"},
                "explicit_http_config": {"http2_protocol_options": http2},
            }
        },
    }


def _cluster(name: str, address: str, settings: BridgeSettings) -> Json:
    host, port = split_address(address)
    limit = settings.envoy.max_connections
    endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
    return {
        "name": name,
        "type": "STATIC" if is_ip_address(host) else "STRICT_DNS",
        "connect_timeout": "2s",
        # Where no replica is healthy the answer is `no healthy upstream`, at once.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        # Long streams count as requests; the default, 1024, would refuse the 1025th. Of repeated requests the
        # default is 3: while a server restarts, the fourth at once would fail.
        "circuit_breakers": {
            "thresholds": [
                dict.fromkeys(
                    ("max_connections", "max_pending_requests", "max_requests", "max_retries"), limit
                )
            ]
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _secured(address: str, tls: UpstreamTls | None, protocol: str) -> Json:
    return (
        {} if tls is None else {"transport_socket": upstream_socket(split_address(address)[0], tls, protocol)}
    )
