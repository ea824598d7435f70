"""The bus over gRPC: translates requests, results and errors; decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence_server.core.errors import DomainError, Reason
from vidence_server.event import convert
from vidence_server.event.dialogue import SessionDialogue
from vidence_server.event.domain.event import IncomingEvent
from vidence_server.event.pipeline import PublishPipeline
from vidence_server.event.publishing import Published
from vidence_server.event.service import EventService, Tenants
from vidence_server.runtime.rpc import current_rpc, tenant_of
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams
from vidence_server.runtime.watch_streams import WatchStreams

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["EventService"].full_name
SELF_CHECKED = frozenset({"Publish", "PublishStream"})
"""Methods whose requests are checked here and not before: refused events are counted, or are results."""
_MAX_IN_WORK = 64
_MAX_REQUEST_BYTES = 2**20
_TERMINAL = {"publish_complete", "publish_failed"}

_ENVELOPE: Envelope[pb.PublishStreamResponse] = Envelope(
    connected=lambda connected: pb.PublishStreamResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.PublishStreamResponse(heartbeat=heartbeat),
    failed=lambda status: pb.PublishStreamResponse(publish_failed=pb.PublishFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in _TERMINAL,
)


@dataclass(slots=True)
class _Tally:
    """What became of the events of a stream so far."""

    published: int = 0
    repeated: int = 0
    errors: int = 0

    def add(self, outcome: Published) -> None:
        self.errors += outcome.error is not None
        self.repeated += outcome.repeated
        self.published += outcome.error is None and not outcome.repeated


class EventServicer(pb_grpc.EventServiceServicer):
    """`vidence.event.v1.EventService`; its proto states what each RPC promises."""

    def __init__(
        self,
        tenants: Tenants,
        results: ResultStreams,
        watches: WatchStreams,
        check: convert.Check,
        *,
        draining: asyncio.Event,
    ) -> None:
        """A servicer.

        Args:
            tenants: The buses.
            results: Answers `PublishStream`.
            watches: Answers `Subscribe` and `WatchStatistics`.
            check: Checks messages of the methods `SELF_CHECKED`.
            draining: Set when the server takes no more requests.
        """
        self._tenants = tenants
        self._results = results
        self._watches = watches
        self._check = check
        self._draining = draining

    async def Publish(  # noqa: N802 - the name of the RPC
        self, request: pb.PublishRequest, context: Context
    ) -> pb.PublishResponse:
        """Publishes all events or none."""
        service = self._service(context)
        try:
            self._check_envelope(request)
            events = [convert.to_incoming(event, self._check) for event in request.events]
            if any(event.refusal is not None for event in events):
                self._check(request)  # it names the fields by their path in the request
        except DomainError as error:
            service.refuse(len(getattr(request, "events", ())), error)
            raise
        durability = convert.to_durability(request.durability)
        outcomes = await service.publish(events, durability, atomic=True)
        cursor_of = service.broadcast.cursor_of
        return pb.PublishResponse.FromString(
            convert.to_results(outcomes, durability, cursor_of, _request_id())
        )

    def PublishStream(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.PublishStreamRequest], context: Context
    ) -> AsyncIterator[pb.PublishStreamResponse]:
        """Publishes what comes, and tells the result of each event."""
        responses = self._publishing(request_iterator, self._service(context))
        return self._results.serve(context, responses, envelope=_ENVELOPE)

    def Subscribe(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.SubscribeRequest, context: Context
    ) -> Awaitable[None]:
        """Delivers events."""
        wanted = convert.to_watch(request, convert.to_filter(request.filter))
        return self._watches.serve(context, self._service(context).broadcast, wanted)

    async def OpenSession(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request_iterator: AsyncIterator[pb.OpenSessionRequest], context: Context
    ) -> None:
        """Delivers events to a client that says how many it can take."""
        async with SessionDialogue(request_iterator) as dialogue:
            request = await dialogue.opening()
            wanted = convert.to_watch(request, convert.to_filter(request.filter))
            await self._watches.serve(context, self._service(context).broadcast, wanted, dialogue)

    async def ListEvents(  # noqa: N802 - the name of the RPC
        self, request: pb.ListEventsRequest, context: Context
    ) -> pb.ListEventsResponse:
        """Lists a page."""
        page = await self._service(context).list_events(
            convert.to_query(request), page_size=request.page_size, page_token=request.page_token
        )
        return convert.to_list_response(page)

    async def GetEvent(  # noqa: N802 - the name of the RPC
        self, request: pb.GetEventRequest, context: Context
    ) -> pb.GetEventResponse:
        """Gives one event."""
        service = self._service(context)
        if request.HasField("key"):
            entry = await service.event_named(request.key.source, request.key.id)
        else:
            entry = await service.event_at(request.cursor)
        return convert.to_get_response(entry)

    async def GetStatistics(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetStatisticsRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,
    ) -> pb.GetStatisticsResponse:
        """Gives the numbers."""
        return pb.GetStatisticsResponse(statistics=convert.to_statistics(self._service(context).statistics()))

    def WatchStatistics(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchStatisticsRequest, context: Context
    ) -> Awaitable[None]:
        """Tells the numbers again and again."""
        return self._watches.serve(context, self._service(context).feed.broadcast, convert.to_watch(request))

    def _service(self, context: Context) -> EventService:
        return self._tenants.service(tenant_of(context))

    async def _publishing(
        self, requests: AsyncIterator[pb.PublishStreamRequest], service: EventService
    ) -> AsyncGenerator[pb.PublishStreamResponse, None]:
        tally = _Tally()

        async def publish(request: pb.PublishStreamRequest) -> bytes:
            events = [convert.to_incoming(event, self._check) for event in request.events]
            durability = convert.to_durability(request.durability)
            _check_size(events)
            outcomes = await service.publish(events, durability, atomic=False)
            for outcome in outcomes:
                tally.add(outcome)
            return convert.to_results(outcomes, durability, service.broadcast.cursor_of, _request_id())

        pipeline = PublishPipeline(
            self._acceptable(requests, service), publish, stop=self._draining, limit=_MAX_IN_WORK
        )
        async with pipeline:
            while results := await pipeline.next():
                joined = pb.PublishResults.FromString(b"".join(results))
                yield pb.PublishStreamResponse(publish_results=joined)
            if self._draining.is_set():
                raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)
            yield pb.PublishStreamResponse(
                publish_complete=pb.PublishComplete(
                    published_count=tally.published,
                    repeated_count=tally.repeated,
                    error_count=tally.errors,
                )
            )

    async def _acceptable(
        self, requests: AsyncIterator[pb.PublishStreamRequest], service: EventService
    ) -> AsyncIterator[pb.PublishStreamRequest]:
        async for request in requests:
            try:
                self._check_envelope(request)
            except DomainError as error:
                service.refuse(len(getattr(request, "events", ())), error)
                raise
            yield request

    def _check_envelope(self, request: Any) -> None:
        """Checks what is not about a single event; `Undecodable` does not pass."""
        if not (
            isinstance(request, pb.PublishRequest | pb.PublishStreamRequest)
            and 1 <= len(request.events) <= 1000
            and 0 <= request.durability <= 3
        ):
            self._check(request)  # it has the words


def _check_size(events: Sequence[IncomingEvent]) -> None:
    size = sum([len(event.body) for event in events])
    if size > _MAX_REQUEST_BYTES:
        raise DomainError(
            Reason.REQUEST_INVALID,
            "The events of a message have more bytes than a message may.",
            metadata={"limit": str(_MAX_REQUEST_BYTES), "actual": str(size)},
        )


def _request_id() -> str:
    rpc = current_rpc()
    return "" if rpc is None else rpc.request_id
