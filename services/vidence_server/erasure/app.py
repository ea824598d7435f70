"""Puts the erasure service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vidence.erasure.v1 import erasure_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.erasure.asking import Asking
from vidence_server.erasure.convert import Codec
from vidence_server.erasure.finishing import Finisher
from vidence_server.erasure.ports import Holder, Reviews
from vidence_server.erasure.service import ErasureService
from vidence_server.erasure.servicer import SERVICE_NAME, ErasureServicer
from vidence_server.erasure.settings import ErasureSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay

_MIGRATIONS = Path(__file__).parent / "migrations"
_RELAY_COUNTERS = ("relayed", "refused", "failures")


@dataclass(frozen=True, slots=True)
class OpenErasure:
    """An open service, and what tells its events."""

    service: ErasureService
    relay: Relay


@asynccontextmanager
async def open_service(
    settings: ErasureSettings,
    location: StateLocation,
    bus: EventSink,
    holders: Mapping[str, Holder],
    reviews: Reviews,
    *,
    clock: Clock,
    ids: IdFactory,
    random: Callable[[], float],
) -> AsyncIterator[OpenErasure]:
    """The service's database, and what goes on with purges; open it before the server.

    Args:
        settings: The section `erasure`.
        location: Of the database.
        bus: Where events go; it may be away at any time.
        holders: The services that hold data of people, by name, in the order in which they are asked.
        reviews: What people noted on what those held.
        clock: The service's time.
        ids: Names purges.
        random: Numbers in [0, 1), for jitter.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(location.database("erasure", migrations=_MIGRATIONS))
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        service = ErasureService(
            database, outbox, Asking(holders, reviews, random), Codec(), clock=clock, ids=ids
        )
        await stack.enter_async_context(Finisher(database, outbox, service, clock, settings))
        yield OpenErasure(service, relay)


def register(server: RpcServer, service: ErasureService) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = ErasureServicer(service)
    server.register(
        SERVICE_NAME, lambda target: pb_grpc.add_ErasureServiceServicer_to_server(servicer, target)
    )
    return SERVICE_NAME


def export(metrics: Metrics, opened: OpenErasure) -> None:
    """Shows the numbers of a service as metrics."""
    metrics.export("erasure_relay", opened.relay.statistics, counters=_RELAY_COUNTERS)
