"""What the services of a process share, and what they hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock
from vidence_server.core.erasure import Erasure
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.bus_client import BusClient
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.relay import EventSink
from vidence_server.suite_settings import SuiteSettings

if TYPE_CHECKING:  # a process without models pays for no runtime of models
    from vidence_server.inference.engine import Engine
    from vidence_server.inference.session import ModelSession


class Holder(Protocol):
    """A service that holds data of people."""

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases what it holds of a subject, or only counts it; raises `DomainError`."""
        ...


class Libraries(Protocol):
    """Libraries, as services see them that put their results there."""

    async def check(self, tenant: str, library_id: str) -> None:
        """Whether there is such a library; raises `DomainError`."""
        ...

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        """Makes a result a document of a library; raises `DomainError`."""
        ...


@dataclass(slots=True)
class Process:
    """One process of the suite while it opens: services add themselves to it one after another."""

    settings: SuiteSettings
    server: RpcServer
    metrics: Metrics
    clock: Clock
    ids: IdFactory
    stack: AsyncExitStack
    """Ends what services opened, the last first."""
    sessions: Mapping[str, ModelSession] = field(default_factory=dict)
    """The models of all services, by name."""
    engine: Engine | None = None
    """None where no service runs models."""
    tenants: tuple[str, ...] = (DEFAULT_TENANT,)
    """Whose data the services keep apart."""
    guard: AccessGuard | None = None
    """Who stands at the door; None: anybody may come in."""
    own_calls: OwnCalls = field(default_factory=OwnCalls)
    """What calls to other processes carry."""
    libraries: Libraries | None = None
    """Set by the library service where it is in this process; others ask `suite.libraries`."""
    bus: EventSink | None = None
    """Set by the event service where it is in this process; others ask `bus_for_others`."""
    sealing: Sealing | None = None
    """Set by the first service that keeps images or templates; see `suite.at_rest`."""
    holders: dict[str, Holder] = field(default_factory=dict)
    """Services of this process that hold data of people, by name; see `suite.erasure`."""
    light_services: list[str] = field(default_factory=list)
    """Full names of the gRPC services that need no models."""
    model_services: list[str] = field(default_factory=list)
    """Full names of those that are ready when every model has run."""

    @property
    def models(self) -> Engine:
        """The engine, for services that run models."""
        if self.engine is None:
            raise RuntimeError("a service that runs models names them in `models`")
        return self.engine

    async def bus_for_others(self) -> EventSink:
        """Where domain events go: the bus of this process, or a client of the one elsewhere."""
        if self.bus is None:
            self.bus = await self.stack.enter_async_context(
                BusClient(self.settings.bus.address, self.own_calls)
            )
        return self.bus
