"""What the process counts, for Prometheus: one registry per process, built once and passed down."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from vidence_server.runtime.statistics_export import StatisticsCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STREAM_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600)


class RpcMetrics:
    """Calls by method and code, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        method = ("service", "method")
        self.finished = Counter(
            "vidence_rpcs", "Finished calls.", (*method, "code"), registry=registry
        )  # exposed as vidence_rpcs_total
        self.duration = Histogram(
            "vidence_rpc_duration_seconds",
            "From the arrival of a call to its status.",
            method,
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("vidence_rpcs_in_flight", "Calls being answered.", method, registry=registry)


class StreamMetrics:
    """Streams by method: opened, open, closed and why, refused and why, and what was sent on them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        method = ("service", "method")
        self.opened = Counter("vidence_streams_opened", "Streams that opened.", method, registry=registry)
        self.open = Gauge("vidence_streams_open", "Streams that are open.", method, registry=registry)
        self.closed = Counter(
            "vidence_streams_closed", "Streams that ended, by reason.", (*method, "reason"), registry=registry
        )
        self.refused = Counter(
            "vidence_streams_refused",
            "Streams that were not opened, by reason.",
            (*method, "reason"),
            registry=registry,
        )
        self.sent = Counter(
            "vidence_stream_messages_sent",
            "Messages written to streams, heartbeats too.",
            method,
            registry=registry,
        )
        self.heartbeats = Counter(
            "vidence_stream_heartbeats_sent", "Heartbeats written to streams.", method, registry=registry
        )
        self.duration = Histogram(
            "vidence_stream_duration_seconds",
            "From the opening of a stream to its end.",
            method,
            buckets=_STREAM_SECONDS,
            registry=registry,
        )


class Metrics:
    """All metrics of a process. `build_info` tells which build it is."""

    def __init__(self, *, version: str, revision: str = "") -> None:
        self.registry = CollectorRegistry()
        build = Gauge(
            "vidence_build_info",
            "1; the labels tell the build.",
            ("version", "revision", "python"),
            registry=self.registry,
        )
        build.labels(version, revision, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)
        self.rpcs = RpcMetrics(self.registry)
        self.streams = StreamMetrics(self.registry)

    def export(
        self, component: str, statistics: Callable[[], object], *, counters: Collection[str] = ()
    ) -> None:
        """Exports a component's statistics at every scrape, as `vidence_<component>_<field>`.

        Args:
            component: Its name in metric names, e.g. `engine`.
            statistics: Gives a frozen dataclass of numbers, nested dataclasses, and mappings from names to
                such dataclasses (a field `models` becomes the label `model`). Called from the
                exporter's thread.
            counters: Names of the fields that only ever grow; they are exposed as counters.
        """
        self.registry.register(StatisticsCollector(f"vidence_{component}", statistics, frozenset(counters)))
