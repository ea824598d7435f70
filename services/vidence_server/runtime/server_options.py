"""Settings as the channel arguments of gRPC core."""

from __future__ import annotations

from vidence_server.runtime.settings import ServerSettings

_MAX_METADATA_BYTES = 16 * 2**10


def server_options(settings: ServerSettings) -> tuple[tuple[str, int], ...]:
    """The arguments of `grpc.aio.server`.

    A frozen peer is found by the HTTP/2 ping timeout; the keepalive timeout alone was measured not to end its
    connection before 60 s, so both are set.
    """
    timeout_ms = _ms(settings.keepalive_timeout_s)
    options = [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", settings.max_streams_per_connection),
        ("grpc.server.max_pending_requests", settings.max_pending_calls),
        ("grpc.server.max_pending_requests_hard_limit", 2 * settings.max_pending_calls),
        ("grpc.keepalive_time_ms", _ms(settings.keepalive_time_s)),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(settings.min_ping_interval_s)),
        ("grpc.http2.max_pings_without_data", 0),
        # A second server on the same port must be an error, not half of the calls.
        ("grpc.so_reuseport", 0),
    ]
    if settings.max_connection_age_s is not None:
        options += [
            ("grpc.max_connection_age_ms", _ms(settings.max_connection_age_s)),
            ("grpc.max_connection_age_grace_ms", _ms(settings.max_connection_age_grace_s)),
        ]
    return tuple(options)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
