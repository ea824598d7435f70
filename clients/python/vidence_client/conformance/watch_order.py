"""Order, chain, end and isolation of one recorded connection of a watch stream."""

from __future__ import annotations

from collections.abc import Iterator

from vidence_client.conformance.record import (
    Connection,
    Kind,
    Message,
    PublishedLog,
    WatchedEvent,
    place_of,
)
from vidence_client.conformance.violation import Violation

_LOG_LENGTH = 8


def check_watch_ordered(connection: Connection, published: PublishedLog | None = None) -> list[Violation]:
    """Ordered: `connected` first and once; cursors rise; each event at its place of the log.

    The events of a message lie in the range that the message covers.
    """
    violations = []
    reached = connection.after_cursor
    for position, message in enumerate(connection.messages):
        problems = [*_opening_problems(message, position), *_range_problems(message, reached)]
        if message.kind is Kind.EVENTS:
            problems += _event_order_problems(message, published)
        violations += [Violation("Ordered", problem, position) for problem in problems]
        reached = message.cursor or reached
    return violations


def _opening_problems(message: Message, position: int) -> Iterator[str]:
    if message.kind is Kind.UNKNOWN:
        yield "the message is neither events nor a known control"
    if position == 0 and message.kind is not Kind.CONNECTED:
        yield f"{message.kind.name.lower()} came before connected"
    if position > 0 and message.kind is Kind.CONNECTED:
        yield "connected came again"


def _range_problems(message: Message, reached: str) -> Iterator[str]:
    place, before = place_of(message.cursor), place_of(reached)
    if place is None:
        yield "the message has no cursor"
        return
    if before is not None and before.life == place.life and before.offset > place.offset:
        yield f"the message ends at offset {place.offset}, before {before.offset}"
    told = message.told_cursor
    if message.kind in {Kind.CONNECTED, Kind.HEARTBEAT, Kind.DISCONNECTED} and told != message.cursor:
        yield "the cursor inside the control is not that of the message"


def _event_order_problems(message: Message, published: PublishedLog | None) -> Iterator[str]:
    start, end = place_of(message.previous_cursor), place_of(message.cursor)
    last = start
    for event in message.events:
        place = place_of(event.cursor)
        if place is None:
            yield "an event has no cursor"
            continue
        if end is not None and (place.life != end.life or place.offset > end.offset):
            yield f"the event at offset {place.offset} lies outside of its message"
        if last is not None and last.life == place.life and place.offset <= last.offset:
            yield f"the event at offset {place.offset} does not come after {last.offset}"
        if published is not None and published.knows(event.identity) and _misplaced(event, published):
            yield f"the event at offset {place.offset} has another place in the log"
        last = place


def _misplaced(event: WatchedEvent, published: PublishedLog) -> bool:
    logged = published.at(event.cursor)
    return logged is None or logged.identity != event.identity


def check_watch_chained(connection: Connection) -> list[Violation]:
    """Chained: `previous_cursor` is the `cursor` of the message before; gaps tell the same range."""
    violations = []
    before = ""
    for position, message in enumerate(connection.messages):
        if problem := _chain_problem(message, before, position):
            violations.append(Violation("Chained", problem, position))
        before = message.cursor
    return violations


def _chain_problem(message: Message, before: str, position: int) -> str:
    if position == 0:
        return "the first message has a previous cursor" if message.previous_cursor else ""
    if message.previous_cursor != before:
        return "the previous cursor is not the cursor of the message before"
    gap = message.gap
    if gap is not None and (gap.from_cursor, gap.to_cursor) != (message.previous_cursor, message.cursor):
        return "a gap names another range than its message"
    if message.kind is Kind.DISCONNECTED and message.cursor != before:
        return "disconnected covers a part of the log"
    return ""


def check_watch_terminated(connection: Connection) -> list[Violation]:
    """Terminated: a stream that the server ends closes with one `disconnected`, and nothing after it."""
    messages = connection.messages
    ends = [position for position, message in enumerate(messages) if message.kind is Kind.DISCONNECTED]
    if not ends:
        missing = connection.ended_by_server
        return [Violation("Terminated", "disconnected is missing", len(messages))] if missing else []
    return [
        Violation("Terminated", "a message came after disconnected", position)
        for position in range(ends[0] + 1, len(messages))
    ]


def check_watch_isolated(
    connection: Connection, published: PublishedLog | None = None, *, log: str = ""
) -> list[Violation]:
    """Isolated: all cursors are of one log, and no event comes that was never published to it.

    Args:
        connection: The record.
        published: What was published to the log.
        log: First part of the cursors of the log that was asked for; empty: that of the first message.
    """
    violations = []
    for position, message in enumerate(connection.messages):
        for cursor in (message.cursor, *(event.cursor for event in message.events)):
            log = log or cursor[:_LOG_LENGTH]
            if cursor[:_LOG_LENGTH] != log:
                violations.append(Violation("Isolated", "a cursor of another log came", position))
        foreign = sum(published is not None and not published.knows(e.identity) for e in message.events)
        if foreign:
            text = f"{foreign} events were never published to this log"
            violations.append(Violation("Isolated", text, position))
    return violations
