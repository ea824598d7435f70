"""What a subscription to the log of a fake bus is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from fnmatch import fnmatchcase

import grpc

from fakes.event_log import Context, EventLog, abort, cursor, offset_of
from fakes.extraction_servicer import duration, status
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.stream.v1 import stream_control_pb2 as control


class Delivery:
    """One subscription, from its start until the bus drains."""

    def __init__(self, log: EventLog, request: pb.SubscribeRequest, context: Context) -> None:
        self._log = log
        self._request = request
        self._context = context
        self._at = 0
        self._previous = ""
        self._skipped = False

    async def messages(self) -> AsyncIterator[pb.SubscribeResponse]:
        log = self._log
        self._at = await self._start()
        self._previous = self._request.after_cursor or cursor(self._at)
        opened = control.StreamControl(connected=log.connected(self._previous))
        yield pb.SubscribeResponse(control=opened, cursor=self._previous)
        if self._at < log.oldest:
            yield self._gap(self._expired())
        while not log.draining.is_set():
            if self._at in log.gaps:
                yield self._gap(log.gaps[self._at])
            events = log.log[self._at : self._at + log.per_message]
            self._at += len(events)
            if wanted := [event for event in events if is_wanted(event, self._request.filter)]:
                for message in self._told(wanted):
                    yield message
            elif not events and not await log.wait_for_more(self._at):
                beat = control.StreamControl(heartbeat=control.Heartbeat(cursor=cursor(self._at)))
                yield self._next(pb.SubscribeResponse(control=beat))
        yield self._ending()

    async def _start(self) -> int:
        log, request = self._log, self._request
        kind = request.WhichOneof("start")
        if kind == "since_time":
            since_ns = request.since_time.ToNanoseconds()
            places = (
                place for place, event in enumerate(log.log) if event.emit_time.ToNanoseconds() >= since_ns
            )
            return next(places, len(log.log))
        if kind != "after_cursor":
            earliest = request.position == control.START_POSITION_EARLIEST
            return log.oldest if earliest else len(log.log)
        at = offset_of(request.after_cursor)
        if at < log.oldest and request.on_expired != control.ON_EXPIRED_GAP:
            metadata = {"oldest_cursor": cursor(log.oldest), "newest_cursor": cursor(len(log.log))}
            expired = status(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", "too old", metadata=metadata)
            await abort(self._context, expired)
        return at

    def _expired(self) -> control.Gap:
        return control.Gap(
            from_cursor=self._previous,
            to_cursor=cursor(self._log.oldest),
            missed_count=self._log.oldest - self._at,
            reason=control.GAP_REASON_EXPIRED,
        )

    def _gap(self, lost: control.Gap) -> pb.SubscribeResponse:
        self._at = offset_of(lost.to_cursor)
        return self._next(pb.SubscribeResponse(control=control.StreamControl(gap=lost)))

    def _told(self, events: Sequence[event_pb2.Event]) -> list[pb.SubscribeResponse]:
        """The message of some events, as often as the faults want it."""
        faults = self._log.faults
        message = self._next(pb.SubscribeResponse(events=events))
        self._skipped = faults.skip and not self._skipped
        return [message] * (0 if self._skipped else 2 if faults.duplicate else 1)

    def _next(self, message: pb.SubscribeResponse) -> pb.SubscribeResponse:
        """Chains a message to the one before."""
        message.previous_cursor = self._previous
        message.cursor = self._previous = cursor(self._at)
        return message

    def _ending(self) -> pb.SubscribeResponse:
        ending = control.Disconnected(
            reason=control.DISCONNECT_REASON_DRAINING,
            retry_delay=duration(self._log.retry_delay_s),
            cursor=self._previous,
        )
        told = control.StreamControl(disconnected=ending)
        return pb.SubscribeResponse(control=told, cursor=self._previous, previous_cursor=self._previous)


def is_wanted(event: event_pb2.Event, wanted: event_pb2.EventFilter) -> bool:
    types, sources = wanted.types or ["*"], wanted.sources or ["*"]
    return (
        any(fnmatchcase(event.type, pattern) for pattern in types)
        and any(fnmatchcase(event.source, pattern) for pattern in sources)
        and fnmatchcase(event.subject, wanted.subject_pattern or "*")
        and all(event.attributes.get(key) == value for key, value in wanted.attributes.items())
        and (event.severity or event_pb2.SEVERITY_INFO) >= wanted.minimum_severity
    )
