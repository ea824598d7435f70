"""Takes events from publishers into the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.event.bus_log import BusLog
from vidence_server.event.domain.event import (
    ID_PREFIX,
    MAX_EVENT_BYTES,
    EventHeader,
    IncomingEvent,
    identity_of,
)
from vidence_server.streams.append import Appended, AppendResult, Draft, Durability, Refused

_STORAGE_REASONS = {Reason.STORAGE_FULL, Reason.STORAGE_FAILED}


class EventCodec(Protocol):
    """What the server adds to an encoded event. Protobuf fields may be appended; the last value counts."""

    def emit_time(self, time_ns: int) -> bytes:
        """The field `emit_time`, Unix ns."""
        ...

    def event_id(self, event_id: str) -> bytes:
        """The field `id`."""
        ...


class Published(NamedTuple):
    """What became of one event of a call."""

    event_id: str
    offset: int
    """Its place, or that of the first one it repeats; 0 with `error`."""
    repeated: bool
    error: DomainError | None


@dataclass(frozen=True, slots=True)
class PublishingStatistics:
    """Counters start at 0 with the process."""

    published: int
    repeated: int
    pending: int
    """Events taken and not yet answered."""
    errors: Mapping[str, int]
    """Events refused, by reason."""
    storage_failing: bool
    """Whether the last attempt to write failed."""


class Publishing:
    """The way into one log. Belongs to one event loop."""

    def __init__(
        self, log: BusLog, codec: EventCodec, *, clock: Clock, ids: IdFactory, newest_time_ns: int
    ) -> None:
        """Begins behind what the log holds already.

        Args:
            log: Where events go.
            codec: How they are completed.
            clock: For `emit_time`.
            ids: For events without an id.
            newest_time_ns: When the newest event of the log was accepted, Unix ns; 0 where there is none.
        """
        self._log = log
        self._codec = codec
        self._clock = clock
        self._ids = ids
        self._emit_time_ns = newest_time_ns
        self._published = 0
        self._repeated = 0
        self._pending = 0
        self._errors: Counter[str] = Counter()
        self._storage_failing = False

    async def publish(
        self, events: Sequence[IncomingEvent], durability: Durability, *, atomic: bool
    ) -> list[Published]:
        """Appends events in their order; one result per event.

        Args:
            events: What a publisher sent in one message.
            durability: What they must survive before this returns.
            atomic: All or nothing: one refused event refuses all, by an error.

        Raises:
            DomainError: With `atomic`: REQUEST_INVALID, EVENT_TOO_LARGE, SEQUENCE_MISMATCH, QUEUE_FULL,
                STORAGE_FULL, STORAGE_FAILED. Without it these are in the results.
        """
        try:
            outcomes = await self._publish(events, durability, atomic=atomic)
        except DomainError as error:
            self._errors[error.reason] += len(events)
            raise
        for outcome in outcomes:
            if outcome.error is not None:
                self._errors[outcome.error.reason] += 1
            elif outcome.repeated:
                self._repeated += 1
            else:
                self._published += 1
        return outcomes

    def refuse(self, count: int, error: DomainError) -> None:
        """Counts events that were refused before they came here."""
        self._errors[error.reason] += count

    def statistics(self) -> PublishingStatistics:
        """The numbers as they are now."""
        return PublishingStatistics(
            published=self._published,
            repeated=self._repeated,
            pending=self._pending,
            errors=dict(self._errors),
            storage_failing=self._storage_failing,
        )

    async def _publish(
        self, events: Sequence[IncomingEvent], durability: Durability, *, atomic: bool
    ) -> list[Published]:
        refusals = _refusals(events)
        if refusals and atomic:
            raise next(iter(refusals.values()))
        accepted = [e for i, e in enumerate(events) if i not in refusals] if refusals else events
        drafts = self._drafts(accepted)
        try:
            outcomes = _outcomes(drafts, await self._append(drafts, durability, atomic=atomic))
        except DomainError as error:
            if atomic:
                raise
            outcomes = [Published(_id_of(draft), 0, repeated=False, error=error) for draft in drafts]
        if atomic:
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
        for index, refusal in refusals.items():  # in rising order, so that each lands at its own place
            outcomes.insert(index, Published(events[index].header.id, 0, repeated=False, error=refusal))
        return outcomes

    def _drafts(self, events: Sequence[IncomingEvent]) -> list[Draft]:
        """The events with their ids and the time of now, which never falls."""
        now_ns = int(self._clock.now().timestamp() * 1_000_000) * 1000
        self._emit_time_ns = time_ns = max(self._emit_time_ns, now_ns)
        stamp = self._codec.emit_time(time_ns)
        drafts: list[Draft] = []
        for header, sequence, body, _ in events:
            source, event_id = header[0], header[1]
            if event_id:
                encoded = body + stamp
            else:
                event_id = self._ids.new(ID_PREFIX)
                header = header._replace(id=event_id)  # noqa: PLW2901 - the same event, completed
                encoded = body + self._codec.event_id(event_id) + stamp
            drafts.append(Draft(encoded, time_ns, header, identity_of(source, event_id), source, sequence))
        return drafts

    async def _append(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool
    ) -> Sequence[AppendResult]:
        if not drafts:
            return ()
        self._pending += len(drafts)
        try:
            results = await self._log.append(drafts, durability, atomic=atomic)
        except DomainError as error:
            self._storage_failing = error.reason in _STORAGE_REASONS
            raise
        finally:
            self._pending -= len(drafts)
        self._storage_failing = False
        return results


def _refusals(events: Sequence[IncomingEvent]) -> dict[int, DomainError]:
    """Why events cannot be published, by their places."""
    refusals: dict[int, DomainError] = {}
    for index, (_, _, body, refusal) in enumerate(events):
        if refusal is not None:
            refusals[index] = refusal
        elif len(body) > MAX_EVENT_BYTES:
            refusals[index] = DomainError(
                Reason.EVENT_TOO_LARGE,
                f"An event has more than {MAX_EVENT_BYTES} bytes.",
                metadata={"limit": str(MAX_EVENT_BYTES), "actual": str(len(body))},
            )
    return refusals


def _outcomes(drafts: Sequence[Draft], results: Sequence[AppendResult]) -> list[Published]:
    return [
        Published(_id_of(draft), result.offset, result.repeated, None)
        if isinstance(result, Appended)
        else Published(_id_of(draft), 0, repeated=False, error=_out_of_sequence(result))
        for draft, result in zip(drafts, results, strict=True)
    ]


def _id_of(draft: Draft) -> str:
    return cast(EventHeader, draft.key)[1]


def _out_of_sequence(result: Refused) -> DomainError:
    return DomainError(
        Reason.SEQUENCE_MISMATCH,
        "The event's number does not follow the last one of its source.",
        metadata={"expected": str(result.expected), "actual": str(result.actual)},
    )
