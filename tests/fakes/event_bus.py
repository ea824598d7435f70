"""An event service on a database of its own, without a server or behind a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.runtime import RunningServer, running_server
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.event import convert
from vidence_server.event.app import open_service, register
from vidence_server.event.domain.event import IncomingEvent
from vidence_server.event.service import EventService, Tenants
from vidence_server.event.servicer import SERVICE_NAME
from vidence_server.event.settings import EventSettings
from vidence_server.runtime.interceptors.validation import ValidationInterceptor
from vidence_server.runtime.server import AddServicer, RpcServer

TYPE = "document.extracted"
SOURCE = "vidence/tests"


def event(event_id: str = "", **fields: Any) -> event_pb2.Event:
    """An event that breaks no rule."""
    return event_pb2.Event(**({"source": SOURCE, "id": event_id, "type": TYPE} | fields))


def incoming(*events: event_pb2.Event) -> list[IncomingEvent]:
    """Events as the servicer hands them to the service."""
    check = ValidationInterceptor().check_request
    return [convert.to_incoming(each, check) for each in events]


@asynccontextmanager
async def open_bus(
    data_dir: Path, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[EventService]:
    """The bus of the default tenant."""
    clock = clock or SystemClock()
    async with open_service(EventSettings(**settings), data_dir, clock, IdFactory(clock)) as tenants:
        yield tenants.service(DEFAULT_TENANT)


@dataclass(frozen=True)
class RunningBus:
    """A bus behind a server."""

    running: RunningServer
    tenants: Tenants

    @property
    def service(self) -> EventService:
        return self.tenants.service(DEFAULT_TENANT)

    @property
    def stub(self) -> pb_grpc.EventServiceAsyncStub:
        return pb_grpc.EventServiceStub(self.running.channel)


@asynccontextmanager
async def event_server(
    data_dir: Path, *, clock: Clock | None = None, server: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[RunningBus]:
    """A real server with the event service, its outgoing messages validated."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        tenants = await stack.enter_async_context(
            open_service(EventSettings(**settings), data_dir, clock, IdFactory(clock))
        )

        def services(rpc_server: RpcServer) -> Mapping[str, AddServicer]:
            register(rpc_server, tenants)
            return {}

        running = await stack.enter_async_context(
            running_server(services, clock=clock, ready=False, **(server or {}))
        )
        await running.server.mark_ready(SERVICE_NAME)
        yield RunningBus(running, tenants)
