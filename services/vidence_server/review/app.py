"""Puts the review service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vidence.review.v1 import review_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.review.convert import Codec
from vidence_server.review.ledger import Ledger
from vidence_server.review.service import ReviewService
from vidence_server.review.servicer import SERVICE_NAME, ReviewServicer
from vidence_server.review.settings import ReviewSettings
from vidence_server.review.sweeping import Sweeper
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import EventSink, Relay

_MIGRATIONS = Path(__file__).parent / "migrations"
_RELAY_COUNTERS = ("relayed", "refused", "failures")


@dataclass(frozen=True, slots=True)
class OpenReview:
    """An open service, and what tells its events."""

    service: ReviewService
    relay: Relay
    logs: ServiceLogs
    sweeper: Sweeper


@asynccontextmanager
async def open_service(
    settings: ReviewSettings,
    location: StateLocation,
    bus: EventSink,
    *,
    clock: Clock,
    random: Callable[[], float],
) -> AsyncIterator[OpenReview]:
    """The service's database and sweeper; open it before the server: it outlives all calls.

    Args:
        settings: The section `review`.
        location: Of the database.
        bus: Where events go; it may be away at any time.
        clock: The service's time.
        random: Numbers in [0, 1), for jitter.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(location.database("review", migrations=_MIGRATIONS))
        outbox = Outbox(database)
        relay = await stack.enter_async_context(Relay(outbox, bus, clock=clock, random=random))
        logs = await stack.enter_async_context(ServiceLogs(database, clock=clock))
        ledger = Ledger(logs, outbox, Codec())
        sweeper = Sweeper(database, ledger, outbox, clock, settings)
        await stack.enter_async_context(sweeper.rounds())
        service = ReviewService(database, logs, ledger, clock, settings)
        yield OpenReview(service, relay, logs, sweeper)


def register(server: RpcServer, service: ReviewService) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = ReviewServicer(service, server.watch_streams)
    server.register(
        SERVICE_NAME, lambda target: pb_grpc.add_ReviewServiceServicer_to_server(servicer, target)
    )
    return SERVICE_NAME


def export(metrics: Metrics, opened: OpenReview) -> None:
    """Shows the numbers of a service as metrics."""
    metrics.export("review_relay", opened.relay.statistics, counters=_RELAY_COUNTERS)
    metrics.export("review_logs", opened.logs.statistics)
