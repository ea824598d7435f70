"""Lets calls in, or not: the service must be ready, not be draining, and have a place for one more stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.metrics import StreamMetrics
from vidence_server.runtime.rpc import Method
from vidence_server.runtime.settings import ServerSettings


@dataclass(slots=True)
class _Service:
    ready: bool = False
    open_streams: int = 0


@dataclass(frozen=True, slots=True)
class ServiceStatistics:
    """One service's door."""

    ready: int
    """1 once its models are warm."""
    open_streams: int


@dataclass(frozen=True, slots=True)
class AdmissionStatistics:
    """The doors of all services of a server."""

    draining: int
    services: Mapping[str, ServiceStatistics]


class Admission:
    """The door of a server. Services that were never added (health, reflection) are always let in."""

    def __init__(self, settings: ServerSettings, metrics: StreamMetrics) -> None:
        self._max_streams = settings.max_streams
        self._retry_delay_s = settings.retry_delay_s
        self._metrics = metrics
        self._services: dict[str, _Service] = {}  # bound: one entry per service registered
        self._draining = False

    def add(self, service: str) -> None:
        """Guards a service; it is not ready yet."""
        self._services[service] = _Service()

    def mark_ready(self, service: str) -> None:
        """Lets calls of the service in."""
        self._services[service].ready = True

    def ready(self) -> bool:
        """Whether all services are ready."""
        return all(service.ready for service in self._services.values())

    def drain(self) -> None:
        """Refuses new streams from now on. Unary calls are answered until the server stops."""
        self._draining = True

    def statistics(self) -> AdmissionStatistics:
        """The numbers as they are now."""
        services = {
            name: ServiceStatistics(ready=int(service.ready), open_streams=service.open_streams)
            for name, service in self._services.items()
        }
        return AdmissionStatistics(draining=int(self._draining), services=services)

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Raises instead of calling where the call is not let in."""
        service = self._services.get(method.service)
        if service is None:
            return behaviour

        async def unary(request: Any, context: Context) -> Any:
            self._check_ready(service)
            return await behaviour(request, context)

        async def stream(request: Any, context: Context) -> Any:
            try:
                self._check_ready(service)
                self._check_place(service)
            except DomainError as refusal:
                self._metrics.refused.labels(method.service, method.name, refusal.reason).inc()
                raise
            service.open_streams += 1
            try:
                return await behaviour(request, context)
            finally:
                service.open_streams -= 1

        return stream if method.streaming else unary

    def _check_ready(self, service: _Service) -> None:
        if not service.ready:
            raise DomainError(
                Reason.NOT_READY, "The service is loading its models.", retry_after_s=self._retry_delay_s
            )

    def _check_place(self, service: _Service) -> None:
        if self._draining:
            raise DomainError(
                Reason.DRAINING, "The server is shutting down.", retry_after_s=self._retry_delay_s
            )
        if service.open_streams >= self._max_streams:
            raise DomainError(
                Reason.STREAM_LIMIT,
                "The service has as many open streams as it may have.",
                metadata={"limit": str(self._max_streams)},
                retry_after_s=self._retry_delay_s,
            )
