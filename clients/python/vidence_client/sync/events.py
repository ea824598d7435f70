"""The bus, for plain code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from vidence.event.v1 import event_pb2, event_service_pb2, event_statistics_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.event_session import DEFAULT_CREDIT
from vidence_client.event_session import EventSession as AsyncEventSession
from vidence_client.events import EventsClient as AsyncEventsClient
from vidence_client.publishing import Publisher
from vidence_client.selection import Selection, WatchStart
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Watch, next_of
from vidence_client.watch_shape import GapListener, ReconnectListener

EventWatch = Watch[event_service_pb2.SubscribeResponse, event_pb2.Event]
StatisticsWatch = Watch[event_service_pb2.WatchStatisticsResponse, event_service_pb2.StatisticsEvent]


class EventSession(Watch[event_service_pb2.OpenSessionResponse, event_pb2.Event]):
    """A watch with credit, for plain code; see `vidence_client.event_session.EventSession`."""

    def __init__(self, session: AsyncEventSession, thread: LoopThread) -> None:
        super().__init__(session, thread)
        self._session = session

    @property
    def unacknowledged(self) -> int:
        """Events that arrived and were not acknowledged."""
        return self._session.unacknowledged

    def acknowledge(self) -> None:
        """Says that every event handed over so far is processed, and lets as many new ones come."""
        self._thread.run(self._session.acknowledge())

    def ping(self) -> float:
        """Asks whether the server is there, s; another thread must be reading the events meanwhile."""
        return self._thread.run(self._session.ping())


class EventsClient:
    """Publishes, subscribes and lists, for plain code; see `vidence_client.events.EventsClient`.

    All arguments and errors are those of the asynchronous client.
    """

    def __init__(self, client: AsyncEventsClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def publish(
        self,
        *events: event_pb2.Event,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Sequence[event_service_pb2.PublishResult]:
        """Publishes events together and waits until they are in the log: all of them, or none."""
        publishing = self._client.publish(*events, durability=durability, timeout=timeout)
        return self._thread.run(publishing)

    def publish_in_order(
        self,
        events: Sequence[event_pb2.Event],
        *,
        durability: event_pb2.Durability.ValueType = event_pb2.DURABILITY_UNSPECIFIED,
    ) -> Iterator[event_service_pb2.PublishResult]:
        """Publishes any number of events and gives the result of each, in their order, as they come."""
        results = self._client.publish_in_order(events, durability=durability)
        try:
            while (result := self._thread.run(next_of(results))) is not None:
                yield result
        finally:
            self._thread.run(results.aclose())

    def publisher(self, source: str, **options: Any) -> Publisher:
        """Makes a publisher to the same server, with a connection of its own."""
        return self._client.publisher(source, **options)

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
        """Subscribes to events. Nothing happens until the first one is asked for."""
        watch = self._client.subscribe(
            types=types,
            sources=sources,
            subject=subject,
            attributes=attributes,
            minimum_severity=minimum_severity,
            after=after,
            since=since,
            from_start=from_start,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
            on_overflow=on_overflow,
            heartbeat_period_s=heartbeat_period_s,
        )
        return Watch(watch, self._thread)

    def open_session(
        self,
        selection: Selection | None = None,
        *,
        credit: int = DEFAULT_CREDIT,
        start: WatchStart | None = None,
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> EventSession:
        """Subscribes so that the server never sends more than was asked for."""
        session = self._client.open_session(
            selection, credit=credit, start=start, on_gap=on_gap, on_reconnect=on_reconnect
        )
        return EventSession(session, self._thread)

    def list(
        self,
        selection: Selection | None = None,
        *,
        query: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 1000,
    ) -> Iterator[event_pb2.Event]:
        """Gives all kept events that match, the newest first, page by page."""
        events = self._client.list(selection, query=query, since=since, until=until, page_size=page_size)
        while (event := self._thread.run(next_of(events))) is not None:
            yield event

    def list_page(
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
        """Gives one page of kept events, the newest first."""
        page = self._client.list_page(
            selection,
            query=query,
            since=since,
            until=until,
            page_size=page_size,
            page_token=page_token,
            timeout=timeout,
        )
        return self._thread.run(page)

    def get(
        self,
        cursor: str = "",
        *,
        source: str = "",
        id: str = "",  # noqa: A002 - the field's name
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> event_pb2.Event:
        """Gives one kept event by its cursor, or by its source and id."""
        return self._thread.run(self._client.get(cursor, source=source, id=id, timeout=timeout))

    def statistics(self, *, timeout: float = DEFAULT_TIMEOUT_S) -> event_statistics_pb2.Statistics:
        """Gives the numbers of the bus as they are now."""
        return self._thread.run(self._client.statistics(timeout=timeout))

    def watch_statistics(
        self, *, on_reconnect: ReconnectListener | None = None, heartbeat_period_s: float | None = None
    ) -> StatisticsWatch:
        """Gives the numbers again and again."""
        watch = self._client.watch_statistics(
            on_reconnect=on_reconnect, heartbeat_period_s=heartbeat_period_s
        )
        return Watch(watch, self._thread)
