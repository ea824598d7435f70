"""Records of watch streams: what a watcher saw, and what the log held, free of any transport."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

from vidence.stream.v1 import stream_control_pb2

_LIFE_LENGTH = 17
_CURSOR_LENGTH = 34


class Kind(Enum):
    """Kinds of messages of a watch stream."""

    CONNECTED = auto()
    EVENTS = auto()
    HEARTBEAT = auto()
    GAP = auto()
    DISCONNECTED = auto()
    UNKNOWN = auto()


class Place(NamedTuple):
    """What a cursor says. Clients compare cursors for equality only; a validator may look inside."""

    life: str
    """Log and epoch."""
    offset: int


def place_of(cursor: str) -> Place | None:
    """The place that a cursor `<log>.<epoch>.<offset>` names; None: the text is no cursor."""
    if len(cursor) != _CURSOR_LENGTH or cursor[8] != "." or cursor[_LIFE_LENGTH] != ".":
        return None
    try:
        return Place(cursor[:_LIFE_LENGTH], int(cursor[_LIFE_LENGTH + 1 :], 16))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class WatchedEvent:
    """An event as it arrived.

    Attributes:
        cursor: Its place.
        identity: What names it for ever; on the bus its source and id.
        key: What a filter looks at; None: not known.
    """

    cursor: str
    identity: str
    key: object = None


@dataclass(frozen=True, slots=True)
class Gap:
    """What a `gap` says.

    Attributes:
        from_cursor: Exclusive start.
        to_cursor: Inclusive end.
        reason: Name of the `GapReason`, without prefix.
        missed_count: Events missing; None: not told.
    """

    from_cursor: str
    to_cursor: str
    reason: str
    missed_count: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a watch stream.

    Attributes:
        kind: What it is.
        cursor: Inclusive end of what it covers.
        previous_cursor: Exclusive start of what it covers; empty in the first message.
        events: Its events, for `EVENTS`.
        gap: For `GAP`.
        told_cursor: The cursor inside `connected`, `heartbeat`, `disconnected`.
    """

    kind: Kind
    cursor: str
    previous_cursor: str
    events: tuple[WatchedEvent, ...] = ()
    gap: Gap | None = None
    told_cursor: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """What one connection of a watcher saw.

    Attributes:
        messages: In the order of arrival.
        after_cursor: The cursor it asked to start after; empty: it started at a position or a time.
        wants: The filter it asked for, over the keys of events; None: none, or not known.
        filtered: Whether a filter was in force, known here or not.
        ended_by_server: The stream ended with status OK, or with a status that the server chose.
        in_memory: The log lives in memory: a restart begins another epoch, the gap into it says EPHEMERAL;
            into a log that was replaced or restored it says EPOCH.
    """

    messages: tuple[Message, ...]
    after_cursor: str = ""
    wants: Callable[[object], bool] | None = None
    filtered: bool = False
    ended_by_server: bool = False
    in_memory: bool = False

    @property
    def last_cursor(self) -> str:
        """Where a client resumes: the last cursor that arrived, or else where it wanted to start."""
        return self.messages[-1].cursor if self.messages else self.after_cursor


@dataclass(frozen=True, slots=True)
class Watcher:
    """All connections of one watcher, in order; each resumes where the one before ended."""

    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event that had a place in the log.

    Attributes:
        cursor: Its place.
        identity: As in `WatchedEvent`.
        key: What filters look at.
        gone: Retention, corruption or an unclean stop took it: who comes late is told so by a gap.
    """

    cursor: str
    identity: str
    key: object = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class LoggedHole:
    """Offsets that never had an event: (from_cursor, to_cursor]."""

    from_cursor: str
    to_cursor: str


class PublishedLog:
    """What a log held from its beginning: every event that had a place, in order, and its holes."""

    def __init__(self, events: Iterable[LoggedEvent], holes: Iterable[LoggedHole] = ()) -> None:
        self.events: Sequence[LoggedEvent] = tuple(events)
        self.holes: Sequence[LoggedHole] = tuple(holes)
        self._by_cursor = {event.cursor: event for event in self.events}
        self._first: dict[str, LoggedEvent] = {}
        for event in self.events:
            self._first.setdefault(event.identity, event)
        self._lives: dict[str, tuple[list[int], list[LoggedEvent]]] = {}
        for event in self.events:
            place = place_of(event.cursor)
            if place is None:
                raise ValueError("an event of the log has no cursor")
            offsets, events_of_life = self._lives.setdefault(place.life, ([], []))
            offsets.append(place.offset)
            events_of_life.append(event)

    def at(self, cursor: str) -> LoggedEvent | None:
        """The event with a cursor."""
        return self._by_cursor.get(cursor)

    def knows(self, identity: str) -> bool:
        """Whether an event of this identity was ever in the log."""
        return identity in self._first

    def took_again(self, cursor: str) -> bool:
        """Whether the event with a cursor was there before, under another cursor, and went."""
        event = self._by_cursor.get(cursor)
        return (
            event is not None
            and self._first[event.identity].cursor != cursor
            and self._first[event.identity].gone
        )

    def between(self, after: str, until: str) -> Sequence[LoggedEvent]:
        """The events in (after, until]; none where the two are cursors of different logs or epochs."""
        start, end = place_of(after), place_of(until)
        if start is None or end is None or start.life != end.life or start.life not in self._lives:
            return ()
        offsets, events = self._lives[start.life]
        return events[bisect_right(offsets, start.offset) : bisect_right(offsets, end.offset)]

    def has_hole_between(self, after: str, until: str) -> bool:
        """Whether (after, until] contains an offset that never had an event."""
        start, end = place_of(after), place_of(until)
        if start is None or end is None or start.life != end.life:
            return False
        return any(_overlap(hole, start, end) for hole in self.holes)


def all_messages(watcher: Watcher) -> Iterator[Message]:
    """The messages of all connections, in order."""
    for connection in watcher.connections:
        yield from connection.messages


def is_wanted(event: LoggedEvent, wants: Callable[[object], bool] | None) -> bool:
    """Whether a filter lets an event through; None: everything."""
    return wants is None or wants(event.key)


def _overlap(hole: LoggedHole, start: Place, end: Place) -> bool:
    first, last = place_of(hole.from_cursor), place_of(hole.to_cursor)
    if first is None or last is None:
        raise ValueError("a hole of the log has no cursors")
    return first.life == start.life and max(first.offset, start.offset) < min(last.offset, end.offset)


def from_responses(
    responses: Iterable[Any],
    *,
    after_cursor: str = "",
    wants: Callable[[object], bool] | None = None,
    filtered: bool = False,
    ended_by_server: bool = False,
    in_memory: bool = False,
) -> Connection:
    """The record of one connection, from the responses of any watch RPC.

    Args:
        responses: Messages with `events`, `control`, `cursor`, `previous_cursor`, in the order of arrival.
        after_cursor: The cursor the call asked to start after.
        wants: The filter of the call, over event messages; None: not known, or none.
        filtered: Whether the call had a filter.
        ended_by_server: Whether the server ended the call.
        in_memory: Whether the log lives in memory only, as those of capture sessions.
    """
    return Connection(
        messages=tuple(_message(response) for response in responses),
        after_cursor=after_cursor,
        wants=wants,
        filtered=filtered or wants is not None,
        ended_by_server=ended_by_server,
        in_memory=in_memory,
    )


def _message(response: Any) -> Message:
    cursor, previous = response.cursor, response.previous_cursor
    if not response.HasField("control"):
        events = tuple(WatchedEvent(event.cursor, _identity(event), event) for event in response.events)
        return Message(Kind.EVENTS, cursor, previous, events)
    name = response.control.WhichOneof("control")
    if name is None or response.events:
        return Message(Kind.UNKNOWN, cursor, previous)
    control = getattr(response.control, name)
    if name != "gap":
        return Message(Kind[name.upper()], cursor, previous, told_cursor=control.cursor)
    reason = stream_control_pb2.GapReason.Name(control.reason).removeprefix("GAP_REASON_")
    missed = control.missed_count if control.HasField("missed_count") else None
    gap = Gap(control.from_cursor, control.to_cursor, reason, missed)
    return Message(Kind.GAP, cursor, previous, gap=gap)


def _identity(event: Any) -> str:
    """Source and id where events have them; elsewhere their place names them."""
    if "source" in event.DESCRIPTOR.fields_by_name:
        return f"{event.source}\n{event.id}"
    return str(event.cursor)
