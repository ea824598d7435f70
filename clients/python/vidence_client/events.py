"""Client of the event service: publishes, subscribes, lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from vidence.event.v1 import (
    event_pb2,
    event_service_pb2,
    event_statistics_pb2,
)
from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.event_publishing import EventPublishing
from vidence_client.event_session import DEFAULT_CREDIT, EventSession
from vidence_client.selection import Selection, WatchStart
from vidence_client.stream import StreamCall
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

EventWatch = Watch[event_service_pb2.SubscribeResponse, event_pb2.Event]
StatisticsWatch = Watch[event_service_pb2.WatchStatisticsResponse, event_service_pb2.StatisticsEvent]


class EventsClient(EventPublishing):
    """Publishes, subscribes and lists over one channel. `Client.events` is one."""

    def subscribe(
        self,
        *,
        types: Sequence[str] = (),
        sources: Sequence[str] = (),
        subject: str = "",
        attributes: Mapping[str, str] | None = None,
        minimum_severity: event_pb2.Severity.ValueType = event_pb2.SEVERITY_UNSPECIFIED,
        after: str = "",
        since: datetime | None = None,
        from_start: bool = False,
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        on_overflow: stream_control_pb2.OnOverflow.ValueType = stream_control_pb2.ON_OVERFLOW_UNSPECIFIED,
        heartbeat_period_s: float | None = None,
    ) -> EventWatch:
        """Subscribes to events. Nothing happens until the first one is asked for.

        Args:
            types: Which events; this and the next four as in `Selection`.
            sources: Likewise.
            subject: Likewise.
            attributes: Likewise.
            minimum_severity: Likewise.
            after: Where to start; this and the next two as in `WatchStart`.
            since: Likewise.
            from_start: Likewise.
            on_gap: Hears what cannot be delivered any more; a start that is no longer kept is then told as a
                gap too. Without it, both are raised.
            on_reconnect: Hears why a connection was replaced.
            on_overflow: As in `WatchStart`.
            heartbeat_period_s: Likewise.

        Raises:
            ValueError: More than one start is given.
        """
        wanted = Selection(
            types=types,
            sources=sources,
            subject=subject,
            attributes=attributes,
            minimum_severity=minimum_severity,
        )
        start = WatchStart(
            after=after,
            since=since,
            from_start=from_start,
            skip_expired=on_gap is not None,
            on_overflow=on_overflow,
            heartbeat_period_s=heartbeat_period_s,
        )
        return self._watch(wanted, start, on_gap, on_reconnect)

    def _watch(
        self,
        wanted: Selection,
        start: WatchStart,
        on_gap: GapListener | None,
        on_reconnect: ReconnectListener | None,
    ) -> EventWatch:
        def begin(position: str) -> StreamCall:
            request = event_service_pb2.SubscribeRequest(filter=wanted.to_filter())
            start.apply(request, position)
            return self._stub.Subscribe(request)

        return Watch(
            begin, _events_of, self._channel, after=start.after, on_gap=on_gap, on_reconnect=on_reconnect
        )

    def open_session(
        self,
        selection: Selection | None = None,
        *,
        credit: int = DEFAULT_CREDIT,
        start: WatchStart | None = None,
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> EventSession:
        """Subscribes so that the server never sends more than was asked for; see `EventSession`.

        Args:
            selection: Which events; None: all.
            credit: Events that may be unacknowledged, 1–1,000,000.
            start: Where to start; None: with what comes from now on.
            on_gap: As for `subscribe`.
            on_reconnect: Likewise.

        Raises:
            ValueError: The credit is out of its range.
        """
        start = replace(start or WatchStart(), skip_expired=on_gap is not None)
        return EventSession(
            self._stub.OpenSession,
            self._channel,
            wanted=selection or Selection(),
            start=start,
            credit=credit,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
        )

    async def list(
        self,
        selection: Selection | None = None,
        *,
        query: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 1000,
    ) -> AsyncIterator[event_pb2.Event]:
        """Gives all kept events that match, the newest first, page by page; arguments as in `list_page`.

        Raises:
            VidenceError: A page could not be read.
        """
        token = ""
        while True:
            page = await self.list_page(
                selection, query=query, since=since, until=until, page_size=page_size, page_token=token
            )
            for event in page.events:
                yield event
            token = page.next_page_token
            if not token:
                return

    async def list_page(
        self,
        selection: Selection | None = None,
        *,
        query: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> event_service_pb2.ListEventsResponse:
        """Gives one page of kept events, the newest first.

        Args:
            selection: Which events; None: all.
            query: Text that type, source, subject or id must contain, whatever its case.
            since: Events accepted at or after this time, with a time zone.
            until: Events accepted before it.
            page_size: Events at most, up to 1,000; 0: the server's default.
            page_token: `next_page_token` of the page before; empty: the first page.
            timeout: Seconds for all attempts.

        Raises:
            VidenceError: The call failed.
        """
        request = event_service_pb2.ListEventsRequest(
            filter=selection.to_filter() if selection is not None else None,
            query=query,
            page_size=page_size,
            page_token=page_token,
        )
        if since is not None:
            request.since_time.FromDatetime(since)
        if until is not None:
            request.until_time.FromDatetime(until)
        return await self._channel.call(self._stub.ListEvents, request, timeout=timeout)

    async def get(
        self,
        cursor: str = "",
        *,
        source: str = "",
        id: str = "",  # noqa: A002 - the field's name
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> event_pb2.Event:
        """Gives one kept event by its cursor, or by its source and id.

        Raises:
            VidenceError: EVENT_NOT_FOUND, EVENT_CORRUPT, or the call failed.
            ValueError: Neither a cursor nor both source and id are given, or all of them.
        """
        if bool(cursor) == bool(source and id):
            raise ValueError("an event is named by its cursor, or by its source and id")
        if cursor:
            request = event_service_pb2.GetEventRequest(cursor=cursor)
        else:
            request = event_service_pb2.GetEventRequest(key=event_service_pb2.EventKey(source=source, id=id))
        response = await self._channel.call(self._stub.GetEvent, request, timeout=timeout)
        return response.event

    async def statistics(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> event_statistics_pb2.Statistics:
        """Gives the numbers of the bus as they are now.

        Raises:
            VidenceError: The call failed.
        """
        request = event_service_pb2.GetStatisticsRequest()
        response = await self._channel.call(self._stub.GetStatistics, request, timeout=timeout)
        return response.statistics

    def watch_statistics(
        self, *, on_reconnect: ReconnectListener | None = None, heartbeat_period_s: float | None = None
    ) -> StatisticsWatch:
        """Gives the numbers again and again; after a restart of the server they go on with a gap, untold.

        Args:
            on_reconnect: Hears why a connection was replaced.
            heartbeat_period_s: As in `WatchStart`.
        """
        start = WatchStart(skip_expired=True, heartbeat_period_s=heartbeat_period_s)

        def begin(position: str) -> StreamCall:
            request = event_service_pb2.WatchStatisticsRequest()
            start.apply(request, position)
            return self._stub.WatchStatistics(request)

        return Watch(begin, _snapshots_of, self._channel, on_gap=_forget, on_reconnect=on_reconnect)


def _events_of(response: event_service_pb2.SubscribeResponse) -> Sequence[event_pb2.Event]:
    return response.events


def _snapshots_of(
    response: event_service_pb2.WatchStatisticsResponse,
) -> Sequence[event_service_pb2.StatisticsEvent]:
    return response.events


def _forget(gap: stream_control_pb2.Gap) -> None:
    """A snapshot that is lost is replaced by the next."""
