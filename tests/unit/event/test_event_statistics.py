"""The numbers of a bus, and its sink for services of the same process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventually import eventually
from fakes.bus_service import WRITTEN, SteppingClock, ids, publish, request, take
from fakes.event_bus import event, incoming, open_bus
from vidence.event.v1 import event_service_pb2 as pb
from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.app import InProcessSink
from vidence_server.event.domain.filters import EventFilter
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.domain.statistics import BusStatistics
from vidence_server.event.service import EventService, Tenants
from vidence_server.runtime.interceptors.validation import ValidationInterceptor
from vidence_server.streams.frames import Batch, Opening
from vidence_server.streams.requests import Latest, OnOverflow


@pytest.mark.requirement("R-EV2")
async def test_statistics_tell_a_known_load(tmp_path: Path) -> None:
    clock = SteppingClock()
    async with open_bus(tmp_path, clock=clock, retention_events=40, statistics_period_s=3600) as service:
        idle = service.statistics()
        assert (idle.total_published, idle.subscriber_count, idle.running) == (0, 0, True)
        everything = await service.broadcast.subscribe(request(start=Latest()))
        some = await service.broadcast.subscribe(
            request(start=Latest(), connection_id="con_2", filter=EventFilter.of(types=["library.*"]))
        )
        for number in range(20):
            await publish(service, f"d{number}", f"again{number}")
        await publish(service, "l1", type="library.created", sequence=1)
        await publish(service, "l2", type="library.created", sequence=2)
        await publish(service, "d5", "d6")
        for bad in (event("x", type=""), event("y", sequence=7)):
            with pytest.raises(DomainError):
                await service.publish(incoming(bad), WRITTEN, atomic=True)
        assert len(await take(everything, 42)) == 42
        assert len(await take(some, 2)) == 2
        waiting = [asyncio.create_task(one.next()) for one in (everything, some)]
        await eventually(lambda: service.broadcast.statistics().waiting == 2)
        await eventually(lambda: service.statistics().log.event_count == 40)
        clock.step(5)
        _check_known_load(service.statistics(), service)
        for task in waiting:
            task.cancel()
        for one in (everything, some):
            service.broadcast.close(one)
        assert service.statistics().subscriber_count == 0
        assert service.statistics().total_delivered == 44


def _check_known_load(numbers: BusStatistics, service: EventService) -> None:
    assert numbers.total_published == 42
    assert numbers.total_repeated == 2
    assert numbers.total_delivered == 44
    assert numbers.total_errors == 2
    assert numbers.errors_by_reason == {"REQUEST_INVALID": 1, "SEQUENCE_MISMATCH": 1}
    assert numbers.pending_events == 0
    assert numbers.subscriber_count == 2
    assert numbers.total_subscriptions == 2
    assert numbers.running
    assert numbers.uptime_s == 5
    assert numbers.published_per_second == pytest.approx(42 / 5)
    assert numbers.delivered_per_second == pytest.approx(44 / 5)
    assert numbers.dropped_by_reason == {}
    assert numbers.total_heartbeats == 0
    assert numbers.stale_removed == 0
    assert numbers.log.event_count == 40
    assert numbers.log.total_expired == 2
    assert numbers.log.oldest_cursor == service.broadcast.cursor_of(2)
    assert numbers.log.newest_cursor == service.broadcast.cursor_of(42)
    assert numbers.log.size_bytes > 0
    assert {one.connection_id: one.delivered for one in numbers.subscribers} == {"con_1": 42, "con_2": 2}
    assert {one.lag_events for one in numbers.subscribers} == {0}


@pytest.mark.requirement("R-EV2")
async def test_statistics_tell_who_lags_and_who_lost_what(tmp_path: Path) -> None:
    async with open_bus(tmp_path, ring_events=8, retention_events=10) as service:
        behind = await service.broadcast.subscribe(request(start=Latest()))
        await service.broadcast.subscribe(
            request(start=Latest(), connection_id="con_2", on_overflow=OnOverflow.DISCONNECT)
        )
        for begin in range(0, 30, 3):
            await publish(service, *(f"e{begin + place}" for place in range(3)))
        await eventually(lambda: service.statistics().log.event_count == 10)
        assert [one.lag_events for one in service.statistics().subscribers] == [30, 30]
        assert isinstance(await behind.next(), Opening)
        await behind.next()
        numbers = service.statistics()
        assert numbers.dropped_by_reason == {"EXPIRED": 20}
        by_connection = {one.connection_id: one for one in numbers.subscribers}
        assert by_connection["con_1"].dropped == 20
        assert by_connection["con_1"].lag_events == 10


@pytest.mark.requirement("R-EV2")
async def test_snapshots_are_taken_only_while_somebody_watches(tmp_path: Path) -> None:
    async with open_bus(tmp_path, statistics_period_s=3600) as service:
        feed = service.feed
        feed.tick()
        watch = await feed.broadcast.subscribe(request(start=Latest()))
        feed.tick()
        await publish(service, "1")
        feed.tick()
        assert isinstance(await watch.next(), Opening)
        frame = await watch.next()
        assert isinstance(frame, Batch)
        snapshots = pb.WatchStatisticsResponse.FromString(frame.message).events
        assert [one.sequence for one in snapshots] == [1, 2]
        assert [one.snapshot.total_published for one in snapshots] == [0, 1]
        feed.broadcast.close(watch)
        feed.tick()
        assert feed.broadcast.statistics().broadcast == 2


async def test_draining_shows_in_the_numbers(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        draining = asyncio.Event()
        service.run_until(draining)
        assert service.statistics().running
        draining.set()
        assert not service.statistics().running


class Row:
    def __init__(self, encoded: bytes, tenant: str = DEFAULT_TENANT) -> None:
        self.tenant = tenant
        self.encoded = encoded


@pytest.mark.requirement("R-EV5")
async def test_the_sink_of_the_outbox_publishes_each_event_once(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        sink = InProcessSink(Tenants({DEFAULT_TENANT: service}), ValidationInterceptor().check_request)
        rows = [Row(event(name).SerializeToString()) for name in ("1", "2")]
        await sink.publish(rows)
        await sink.publish(rows)
        assert ids((await service.list_events(EventQuery())).entries) == ["2", "1"]
        assert service.statistics().total_repeated == 2


async def test_the_sink_tells_what_will_never_be_taken(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        sink = InProcessSink(Tenants({DEFAULT_TENANT: service}), ValidationInterceptor().check_request)
        for encoded in (event("1", type="").SerializeToString(), b"\xff\xff"):
            with pytest.raises(DomainError) as caught:
                await sink.publish([Row(encoded)])
            assert caught.value.reason is Reason.REQUEST_INVALID


def test_a_tenant_without_a_bus_is_told() -> None:
    with pytest.raises(DomainError):
        Tenants({}).service("elsewhere")
