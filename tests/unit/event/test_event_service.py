"""The service on a real database, without a transport."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventually import eventually
from fakes.bus_service import WRITTEN, SteppingClock, ids, publish, request, take
from fakes.event_bus import event, incoming, open_bus
from vidence.event.v1 import event_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.filters import EventFilter
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.service import EventService
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.entry import Entry
from vidence_server.streams.requests import AfterCursor


async def all_pages(service: EventService, query: EventQuery, page_size: int) -> Iterator[Entry]:
    entries: list[Entry] = []
    token = ""
    while True:
        page = await service.list_events(query, page_size=page_size, page_token=token)
        entries += page.entries
        token = page.next_page_token
        if not token:
            return iter(entries)


@pytest.mark.requirement("R-EV1")
async def test_listings_give_everything_once_newest_first(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, *(f"e{number}" for number in range(25)))
        listed = ids(await all_pages(service, EventQuery(), 4))
    assert listed == [f"e{number}" for number in reversed(range(25))]


@pytest.mark.requirement("R-EV1")
async def test_pages_are_stable_while_events_are_published(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, *(f"e{number}" for number in range(10)))
        query = EventQuery(EventFilter.of(types=["document.*"]))
        page = await service.list_events(query, page_size=3)
        listed = ids(page.entries)
        while page.next_page_token:
            await publish(service, f"late-{len(listed)}")
            page = await service.list_events(query, page_size=3, page_token=page.next_page_token)
            listed += ids(page.entries)
    assert listed == [f"e{number}" for number in reversed(range(10))]


@pytest.mark.requirement("R-EV1")
async def test_listings_search_text_filter_and_time(tmp_path: Path) -> None:
    clock = SteppingClock()
    async with open_bus(tmp_path, clock=clock) as service:
        await publish(service, "one", subject="libraries/a/1", severity=event_pb2.SEVERITY_ERROR)
        between = clock.time_ns
        clock.step()
        await publish(service, "two", subject="libraries/b/2", attributes={"k": "v"})

        async def listed(query: EventQuery) -> list[str]:
            return ids((await service.list_events(query)).entries)

        assert await listed(EventQuery(EventFilter.of(subject_pattern="libraries/a/*"))) == ["one"]
        assert await listed(EventQuery(EventFilter.of(minimum_severity=4))) == ["one"]
        assert await listed(EventQuery(EventFilter.of(attributes={"k": ""}))) == ["two"]
        assert await listed(EventQuery(text="TW")) == ["two"]
        assert await listed(EventQuery(since_ns=between + 1)) == ["two"]
        assert await listed(EventQuery(until_ns=between + 1)) == ["one"]
        assert await listed(EventQuery(since_ns=between)) == ["two", "one"]
        assert await listed(EventQuery(since_ns=clock.time_ns + 1)) == []


async def test_a_page_ends_where_its_bytes_do(tmp_path: Path) -> None:
    content = event_pb2.OpaqueData(content_type="a/b", content=bytes(30_000))
    async with open_bus(tmp_path, page_bytes=2**16) as service:
        for number in range(5):
            await publish(service, str(number), opaque=content)
        page = await service.list_events(EventQuery(), page_size=50)
        assert ids(page.entries) == ["4", "3"]
        assert ids(await all_pages(service, EventQuery(), 50)) == ["4", "3", "2", "1", "0"]


async def test_a_token_of_another_listing_is_refused(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2")
        token = (await service.list_events(EventQuery(), page_size=1)).next_page_token
        with pytest.raises(DomainError) as caught:
            await service.list_events(EventQuery(text="x"), page_token=token)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.requirement("R-EV1")
async def test_an_event_is_found_by_cursor_and_by_name(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2")
        (given,) = await service.publish(incoming(event()), WRITTEN, atomic=True)
        for name in ("1", "2", given.event_id):
            entry = await service.event_named("vidence/tests", name)
            assert ids([entry]) == [name]
            cursor = service.broadcast.cursor_of(entry.offset)
            assert await service.event_at(cursor) == entry


async def test_what_is_not_kept_is_not_found(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1")
        for offset in (0, 2, 2**63 - 1):
            with pytest.raises(DomainError) as caught:
                await service.event_at(service.broadcast.cursor_of(offset))
            assert caught.value.reason is Reason.EVENT_NOT_FOUND
        with pytest.raises(DomainError) as caught:
            await service.event_named("vidence/tests", "2")
        assert caught.value.reason is Reason.EVENT_NOT_FOUND
        with pytest.raises(DomainError) as caught:
            await service.event_at("00000000.00000001.0000000000000001")
        assert caught.value.reason is Reason.CURSOR_FOREIGN


@pytest.mark.requirement("R-EV1")
async def test_a_repetition_names_the_first_event(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2")
        outcomes = await service.publish(incoming(event("3"), event("1")), WRITTEN, atomic=True)
        assert [(outcome.offset, outcome.repeated) for outcome in outcomes] == [(3, False), (1, True)]
        assert len((await service.list_events(EventQuery())).entries) == 3


@pytest.mark.requirement("R-EV3")
async def test_a_restart_keeps_events_index_and_cursors(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2")
        first = await service.event_named("vidence/tests", "1")
        cursor = service.broadcast.cursor_of(first.offset)
    async with open_bus(tmp_path) as service:
        assert ids((await service.list_events(EventQuery())).entries) == ["2", "1"]
        assert await service.event_at(cursor) == first
        await publish(service, "3")
        listed = (await service.list_events(EventQuery(EventFilter.of(types=["document.*"])))).entries
        assert ids(listed) == ["3", "2", "1"]


async def test_time_does_not_fall_across_a_restart(tmp_path: Path) -> None:
    clock = SteppingClock()
    async with open_bus(tmp_path, clock=clock) as service:
        await publish(service, "1")
        first = clock.time_ns
    clock.step(-3600)
    async with open_bus(tmp_path, clock=clock) as service:
        await publish(service, "2")
        assert (await service.event_named("vidence/tests", "2")).time_ns == first


@pytest.mark.requirement("R-EV3")
async def test_a_flipped_bit_is_told_and_hides_nothing_else(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2", "3", subject="find-me")
    raw = bytearray((tmp_path / "event.db").read_bytes())
    # The body holds subject after type; the index holds id after subject.
    place = raw.index(b"document.extracted:\x07find-me", raw.index(b"*\x012"))
    raw[place] ^= 1
    (tmp_path / "event.db").write_bytes(bytes(raw))
    async with open_bus(tmp_path) as service:
        page = await service.list_events(EventQuery())
        assert len(page.entries) == 2
        assert page.corrupt_count == 1
        kept = set(ids(page.entries))
        (lost,) = {"1", "2", "3"} - kept
        with pytest.raises(DomainError) as caught:
            await service.event_named("vidence/tests", lost)
        assert caught.value.reason is Reason.EVENT_CORRUPT


@pytest.mark.requirement("R-EV3")
async def test_retention_removes_events_from_the_index_too(tmp_path: Path) -> None:
    async with open_bus(tmp_path, retention_events=5) as service:
        await publish(service, *(str(number) for number in range(20)))
        await eventually(lambda: service.statistics().log.event_count <= 5)
        page = await service.list_events(EventQuery())
        assert ids(page.entries) == ["19", "18", "17", "16", "15"]
        assert page.next_page_token == ""
        assert service.statistics().log.total_expired == 15


@pytest.mark.requirement("R-EV1")
async def test_subscribers_get_what_their_filter_wants(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "old", type="library.created")
        wanted = EventFilter.of(types=["library.*"])
        subscription = await service.broadcast.subscribe(request(filter=wanted))
        await publish(service, "other")
        await publish(service, "new", type="library.deleted")
        assert [got.id for got in await take(subscription, 2)] == ["old", "new"]
        service.broadcast.close(subscription)


@pytest.mark.requirement("R-ST4")
async def test_a_subscription_resumes_after_a_restart(tmp_path: Path) -> None:
    async with open_bus(tmp_path) as service:
        await publish(service, "1", "2", "3")
        cursor = Cursor.parse(service.broadcast.cursor_of(1))
    async with open_bus(tmp_path) as service:
        subscription = await service.broadcast.subscribe(request(start=AfterCursor(cursor)))
        assert [got.id for got in await take(subscription, 2)] == ["2", "3"]
        service.broadcast.close(subscription)
