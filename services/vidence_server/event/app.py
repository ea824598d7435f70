"""Puts the event service together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.event import convert
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.listing import Listing
from vidence_server.event.numbers import Numbers, NumbersFeed
from vidence_server.event.publishing import Publishing
from vidence_server.event.service import (
    LOG_NAME,
    STATISTICS_LOG_NAME,
    EventService,
    Tenants,
)
from vidence_server.event.servicer import SELF_CHECKED, SERVICE_NAME, EventServicer
from vidence_server.event.settings import EventSettings
from vidence_server.event.store.index import EventIndex
from vidence_server.event.store.plan import Range
from vidence_server.event.store.search import EventSearch
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.streams.append import Durability
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import log_id
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.sqlite_store import SqliteStore
from vidence_server.streams.durable.threads import Threads
from vidence_server.streams.durable.writer import LogWriter, WriterSettings
from vidence_server.streams.entry import Entry, GapReason
from vidence_server.streams.memory_log import MemoryLog
from vidence_server.streams.ring import RingLimits
from vidence_server.streams.statistics import BroadcastStatistics

_BROADCAST_COUNTERS = (
    "subscriptions",
    "broadcast",
    "delivered",
    "heartbeats",
    "stale_removed",
    "dropped",
    "too_slow",
)
"""Statistics of a broadcast that only ever grow."""
_MAX_GROUP_EVENTS = 4096
_MAX_GROUP_BYTES = 4 * 2**20


class EncodedEvent(Protocol):
    """An event of this suite, encoded as `vidence.event.v1.Event`; `storage.outbox.OutboxEvent` is one."""

    @property
    def tenant(self) -> str:
        """Whose bus it goes to."""
        ...

    @property
    def encoded(self) -> bytes:
        """The message."""
        ...


@dataclass(frozen=True, slots=True)
class InProcessSink:
    """The bus for the relays of services in the same process; fits `storage.relay.EventSink`."""

    tenants: Tenants
    check: convert.Check

    async def publish(self, events: Sequence[EncodedEvent]) -> None:
        """Publishes events in order, all of a tenant's or none; returns when they are WRITTEN.

        Raises:
            DomainError: As `Publishing.publish`; what was published before is a repetition the next time.
        """
        by_tenant: dict[str, list[EncodedEvent]] = {}
        for event in events:
            by_tenant.setdefault(event.tenant, []).append(event)
        for tenant, own in by_tenant.items():
            incoming = [convert.incoming_of(event.encoded, self.check) for event in own]
            await self.tenants.service(tenant).publish(incoming, Durability.WRITTEN, atomic=True)


@dataclass(frozen=True, slots=True)
class _Buses:
    """The numbers of all buses, by tenant."""

    tenants: Mapping[str, BroadcastStatistics]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every bus of a process is made with."""

    settings: EventSettings
    clock: Clock
    ids: IdFactory
    stale_after_s: float


@asynccontextmanager
async def open_service(
    settings: EventSettings,
    data_dir: Path,
    clock: Clock,
    ids: IdFactory,
    *,
    stale_after_s: float = 5.0,
    tenants: Sequence[str] = (DEFAULT_TENANT,),
) -> AsyncIterator[Tenants]:
    """Opens the logs and everything that serves them; all of it ends with the context.

    Args:
        settings: Of the service.
        data_dir: Holds `event.db` where the settings name no other file.
        clock: The time of events.
        ids: For events that have none.
        stale_after_s: A subscription that ends after its peer did not read for so long counts as stale; less
            than the time in which a peer must answer pings.
        tenants: Whose buses it has.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FAILED, STORAGE_FULL.
    """
    path = settings.database or data_dir / "event.db"
    parts = _Parts(settings, clock, ids, stale_after_s)
    async with AsyncExitStack() as stack:
        writing = await stack.enter_async_context(Threads(1, "event-writer"))
        reading = await stack.enter_async_context(Threads(settings.reader_threads, "event-reader"))
        writer = await stack.enter_async_context(
            LogWriter(
                partial(SqliteStore, path, EventIndex()),
                convert.header_of,
                _writer_settings(settings),
                clock,
                writing=writing,
                reading=reading,
            )
        )
        search = await stack.enter_async_context(
            EventSearch(path, threads=settings.reader_threads, scan_limit=settings.scan_limit)
        )
        retention = Retention(settings.retention_age_s, settings.retention_events, settings.retention_bytes)
        services: dict[str, EventService] = {}
        for tenant in tenants:
            log = await writer.open_log(tenant, LOG_NAME, retention)
            services[tenant] = await _open_bus(stack, parts, tenant, log, search)
        yield Tenants(services)


def register(server: RpcServer, tenants: Tenants) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = EventServicer(
        tenants,
        server.result_streams,
        server.watch_streams,
        server.check_request,
        draining=server.result_streams.draining,
    )
    for service in tenants.services.values():
        service.run_until(server.result_streams.draining)
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_EventServiceServicer_to_server(servicer, grpc_server),
        self_checked=SELF_CHECKED,
    )
    return SERVICE_NAME


def export(metrics: Metrics, tenants: Tenants) -> None:
    """Exports the numbers of each bus at every scrape."""

    def buses() -> Mapping[str, BroadcastStatistics]:
        return {tenant: service.broadcast.statistics() for tenant, service in tenants.services.items()}

    metrics.export("bus", lambda: _Buses(buses()), counters=_BROADCAST_COUNTERS)


async def _open_bus(
    stack: AsyncExitStack, parts: _Parts, tenant: str, log: DurableLog, search: EventSearch
) -> EventService:
    settings, clock = parts.settings, parts.clock
    limits = RingLimits(settings.ring_events, settings.ring_bytes)
    broadcast = await stack.enter_async_context(
        Broadcast(log, limits, clock, stale_after_s=parts.stale_after_s)
    )
    log.attach(broadcast.extend)
    newest_time_ns = await _newest_time_ns(log, search)
    publishing = Publishing(log, convert.Codec(), clock=clock, ids=parts.ids, newest_time_ns=newest_time_ns)
    listing = Listing(log, search, log_number=log.number, page_bytes=settings.page_bytes)
    numbers = Numbers(log, broadcast, publishing, clock)
    feed = await _open_feed(stack, parts, tenant, numbers)
    return EventService(
        broadcast=broadcast, publishing=publishing, listing=listing, numbers=numbers, feed=feed
    )


async def _open_feed(stack: AsyncExitStack, parts: _Parts, tenant: str, numbers: Numbers) -> NumbersFeed:
    settings, clock = parts.settings, parts.clock
    # Milliseconds: two processes that follow each other within a second must not look like one.
    epoch = int(clock.now().timestamp() * 1000) & 0xFFFF_FFFF
    memory = MemoryLog(
        log=log_id(tenant, STATISTICS_LOG_NAME), epoch=epoch, capacity=settings.statistics_kept
    )
    limits = RingLimits(max_events=settings.statistics_kept)
    broadcast = await stack.enter_async_context(
        Broadcast(memory, limits, clock, epoch_gap=GapReason.EPHEMERAL)
    )
    return await stack.enter_async_context(
        NumbersFeed(
            numbers,
            log=memory,
            broadcast=broadcast,
            encode=convert.encode_snapshot,
            period_s=settings.statistics_period_s,
        )
    )


async def _newest_time_ns(log: DurableLog, search: EventSearch) -> int:
    """When the newest event that can be read was accepted, Unix ns; 0 where there is none."""
    oldest, newest = log.bounds()
    found = await search.find(EventQuery(), Range(log.number, oldest, newest + 1), 1)
    for offset in found.offsets:
        page = await log.read(offset - 1, until=offset, limit=1, max_bytes=1)
        for item in page.items:
            if isinstance(item, Entry):
                return item.time_ns
    return 0


def _writer_settings(settings: EventSettings) -> WriterSettings:
    return WriterSettings(
        max_pending_events=settings.queue_events,
        max_pending_bytes=settings.queue_bytes,
        # The ring must hold more than a group.
        max_group_events=max(1, min(_MAX_GROUP_EVENTS, settings.ring_events // 2)),
        max_group_bytes=min(_MAX_GROUP_BYTES, settings.ring_bytes // 2),
    )
