"""The bus of one tenant: publishes, delivers, lists, and tells its numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.event import IncomingEvent
from vidence_server.event.domain.pages import DEFAULT_PAGE_SIZE, EventQuery
from vidence_server.event.domain.statistics import BusStatistics
from vidence_server.event.listing import EventPage, Listing
from vidence_server.event.numbers import Numbers, NumbersFeed
from vidence_server.event.publishing import Published, Publishing
from vidence_server.streams.append import Durability
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.entry import Entry

LOG_NAME = "bus"
STATISTICS_LOG_NAME = "bus-statistics"


class EventService:
    """The parts of one bus, as the RPCs need them."""

    def __init__(
        self,
        *,
        broadcast: Broadcast,
        publishing: Publishing,
        listing: Listing,
        numbers: Numbers,
        feed: NumbersFeed,
    ) -> None:
        self.broadcast = broadcast
        """Hands out the events."""
        self.feed = feed
        """Hands out the numbers."""
        self._publishing = publishing
        self._listing = listing
        self._numbers = numbers

    async def publish(
        self, events: Sequence[IncomingEvent], durability: Durability, *, atomic: bool
    ) -> list[Published]:
        """As `Publishing.publish`."""
        return await self._publishing.publish(events, durability, atomic=atomic)

    def refuse(self, count: int, error: DomainError) -> None:
        """Counts events whose request was refused before it came here."""
        self._publishing.refuse(count, error)

    async def list_events(self, query: EventQuery, *, page_size: int = 0, page_token: str = "") -> EventPage:
        """As `Listing.page`; `page_size` 0: the default."""
        return await self._listing.page(
            query, page_size=page_size or DEFAULT_PAGE_SIZE, page_token=page_token
        )

    async def event_at(self, cursor: str) -> Entry:
        """As `Listing.at_cursor`."""
        return await self._listing.at_cursor(cursor)

    async def event_named(self, source: str, event_id: str) -> Entry:
        """As `Listing.named`."""
        return await self._listing.named(source, event_id)

    def statistics(self) -> BusStatistics:
        """The numbers as they are now."""
        return self._numbers.now()

    def run_until(self, draining: asyncio.Event) -> None:
        """From when this is set the numbers say that no events are accepted."""
        self._numbers.draining = draining


@dataclass(frozen=True, slots=True)
class Tenants:
    """The bus of each tenant. A further tenant is a further entry."""

    services: Mapping[str, EventService]

    def service(self, tenant: str) -> EventService:
        """A tenant's bus; raises `DomainError`, NOT_READY, where it has none."""
        service = self.services.get(tenant)
        if service is None:
            raise DomainError(Reason.NOT_READY, "This tenant has no bus.")
        return service
