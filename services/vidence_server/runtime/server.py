"""The gRPC server of a process: servicers, interceptors, health, reflection, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.access_rules import check_rules
from vidence_server.runtime.interceptors.access import AccessInterceptor
from vidence_server.runtime.interceptors.admission import Admission
from vidence_server.runtime.interceptors.chain import InterceptorChain, Undecodable
from vidence_server.runtime.interceptors.errors import ErrorInterceptor
from vidence_server.runtime.interceptors.observation import ObservationInterceptor
from vidence_server.runtime.interceptors.request_context import RequestContextInterceptor
from vidence_server.runtime.interceptors.tracing import TracingInterceptor
from vidence_server.runtime.interceptors.validation import ValidationInterceptor
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server_options import server_options
from vidence_server.runtime.settings import ServerSettings
from vidence_server.runtime.stream_servicer import ResultStreams
from vidence_server.runtime.tracing import Tracing
from vidence_server.runtime.watch_streams import WatchStreams

AddServicer = Callable[[grpc.aio.Server], None]
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNIX = "unix:"
OVERALL = ""
"""Health of the whole server: serving once every service is."""


class RpcServer:
    """Listens from the beginning of its context to the end; register servicers before.

    ```
    server = RpcServer(settings.server, metrics=metrics, clock=clock, ids=ids)
    server.register("vidence.extraction.v1.ExtractionService", lambda target: add_…(servicer, target))
    async with server:
        await server.mark_ready("vidence.extraction.v1.ExtractionService")
        await serve_until_signal(server)
    ```
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        metrics: Metrics,
        clock: Clock,
        ids: IdFactory,
        guard: AccessGuard | None = None,
        credentials: grpc.ServerCredentials | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """A server at rest.

        Args:
            settings: The section `server`.
            metrics: Where calls and streams are counted.
            clock: The time.
            ids: Names calls and streams.
            guard: Checks who calls, open as long as the server; None: anybody may.
            credentials: For TLS; None: plaintext.
            tracing: What spans are made with; None: there are none.
        """
        self.settings = settings
        self._credentials = credentials
        self._guarded = guard is not None
        self.result_streams = ResultStreams(settings, metrics=metrics.streams, clock=clock, ids=ids)
        """For servicers that answer with result streams."""
        self.watch_streams = WatchStreams(settings, metrics=metrics.streams, clock=clock, ids=ids)
        """For servicers that answer with watch streams."""
        self._clock = clock
        self._log = structlog.get_logger(__name__)
        self._admission = Admission(settings, metrics.streams)
        self._validation = ValidationInterceptor(responses=settings.validate_responses)
        self._health = health_aio.HealthServicer()
        self._services: dict[str, AddServicer] = {}
        self._chain = InterceptorChain(
            [
                RequestContextInterceptor(ids),
                *self._tracers(tracing or Tracing()),
                ObservationInterceptor(metrics.rpcs, clock, quiet=self._is_quiet),
                ErrorInterceptor(),
                AccessInterceptor(guard, clock),
                self._admission,
                self._validation,
            ]
        )
        self._server: grpc.aio.Server | None = None
        self._port = 0
        self._serving = False
        metrics.export("server", self._admission.statistics)
        metrics.export("result_streams", self.result_streams.statistics)
        metrics.export("watch_streams", self.watch_streams.statistics)

    def register(self, service: str, add: AddServicer, *, self_checked: Iterable[str] = ()) -> None:
        """Offers a service, by its full name; not ready until `mark_ready`.

        Args:
            service: E.g. `vidence.extraction.v1.ExtractionService`.
            add: Adds the servicer to the gRPC server: the generated `add_…_to_server` with its servicer.
            self_checked: Methods whose requests the servicer checks by itself, by `check_request`.
        """
        if self._server is not None:
            raise RuntimeError("services are registered before the server starts")
        if self._guarded:
            check_rules(service)
        self._services[service] = add
        self._admission.add(service)
        self._validation.leave(service, self_checked)

    def check_request(self, request: Message | Undecodable) -> None:
        """Checks a message against the rules in its proto; raises `DomainError`, REQUEST_INVALID."""
        self._validation.check_request(request)

    async def __aenter__(self) -> Self:
        """Starts listening.

        Raises:
            DomainError: `CONFIGURATION_INVALID` where the address cannot be listened on.
        """
        server = grpc.aio.server(interceptors=[self._chain], options=server_options(self.settings))
        for service, add in self._services.items():
            add(server)
            self._validation.prepare(service)
        await self._add_own_services(server)
        self._port = _listen(server, self.settings, self._credentials)
        await server.start()
        self._server = server
        self._log.info("listening", address=self.address, services=sorted(self._services))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops at once; `drain` before lets calls finish."""
        await self.stop(0)

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 for a socket file."""
        return self._port

    @property
    def address(self) -> str:
        """What a gRPC client on this machine dials."""
        host = self.settings.host
        return host if host.startswith(_UNIX) else f"{host}:{self._port}"

    @property
    def serving(self) -> bool:
        """Whether every service is ready, and the server does not end."""
        return self._serving

    async def mark_ready(self, service: str) -> None:
        """Lets calls of a service in and tells it by its health."""
        self._admission.mark_ready(service)
        await self._health.set(service, _SERVING)
        if self._admission.ready():
            await self._health.set(OVERALL, _SERVING)
            self._serving = True
        self._log.info("ready", service=service)

    async def drain(self, grace_s: float | None = None) -> None:
        """Ends well: health turns NOT_SERVING, streams finish or fail with DRAINING, then the server stops.

        Args:
            grace_s: Time that running calls get, seconds; None: `drain_grace_s`.
        """
        grace_s = self.settings.drain_grace_s if grace_s is None else grace_s
        streams = self.result_streams.statistics().open + self.watch_streams.statistics().open
        self._log.info("draining", open_streams=streams, grace_s=grace_s)
        until_s = self._clock.monotonic() + grace_s
        self._serving = False
        await self._health.enter_graceful_shutdown()
        self._admission.drain()
        # One grace for all of them.
        async with asyncio.TaskGroup() as ending:
            ending.create_task(self.watch_streams.drain(grace_s))
            ending.create_task(self.result_streams.drain(grace_s))
        await asyncio.sleep(self.settings.drain_accept_s)
        await self.stop(max(0.0, until_s - self._clock.monotonic()))

    async def stop(self, grace_s: float) -> None:
        """Takes no more calls and cancels those that still run after `grace_s` seconds."""
        self._serving = False
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            # May be called again, with a shorter grace, while the first call waits.
            await self._server.stop(grace_s)
            self._server = None
            self._log.info("stopped")

    def _tracers(self, tracing: Tracing) -> list[TracingInterceptor]:
        return [] if tracing.calls is None else [TracingInterceptor(tracing.calls, self._is_quiet)]

    def _is_quiet(self, service: str) -> bool:
        """Whether calls of it are not worth a line: health and reflection."""
        return service not in self._services

    async def _add_own_services(self, server: grpc.aio.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for service in (OVERALL, *self._services):
            await self._health.set(service, _NOT_SERVING)
        if self.settings.reflection:
            names = (*self._services, _full_name(health_pb2, "Health"), reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)


def _full_name(module: object, service: str) -> str:
    name: str = module.DESCRIPTOR.services_by_name[service].full_name  # type: ignore[attr-defined]  # generated
    return name


def _listen(
    server: grpc.aio.Server, settings: ServerSettings, credentials: grpc.ServerCredentials | None
) -> int:
    host = settings.host
    address = host if host.startswith(_UNIX) else f"{host}:{settings.port}"
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"Cannot listen on {address}: in use, or not an address of this machine.",
        ) from error
    return 0 if host.startswith(_UNIX) else port
