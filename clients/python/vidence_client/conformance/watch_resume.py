"""Resuming: the join of connections is the log, from any cursor that was seen."""

from __future__ import annotations

from collections.abc import Iterator

from vidence_client.conformance.record import (
    Connection,
    PublishedLog,
    Watcher,
    all_messages,
    is_wanted,
    place_of,
)
from vidence_client.conformance.violation import Violation


def check_watch_resumable(watcher: Watcher, published: PublishedLog | None = None) -> list[Violation]:
    """Resumable: each connection goes on where the one before ended; their join is the log from its start.

    `connected` repeats the cursor that was asked for, or a gap stands between that cursor and what follows.
    """
    violations = []
    first, reached = 0, ""
    for connection in watcher.connections:
        if reached and connection.after_cursor and connection.after_cursor != reached:
            text = "the watcher did not resume at the last cursor it saw"
            violations.append(Violation("Resumable", text, first))
        if problem := _resume_problem(connection):
            violations.append(Violation("Resumable", problem, first))
        first += len(connection.messages)
        reached = connection.last_cursor
    if published is not None and not violations:
        violations += _join_problems(watcher, published)
    return violations


def _resume_problem(connection: Connection) -> str:
    asked, messages = connection.after_cursor, connection.messages
    if not asked or not messages or messages[0].cursor == asked:
        return ""
    gap = messages[0].gap or (messages[1].gap if len(messages) > 1 else None)
    if gap is not None and gap.from_cursor == asked:
        return ""
    # A stream that broke right after `connected` may have lost the gap: whoever resumes at that cursor
    # loses silently.
    return "the stream does not start at the cursor that it was asked to start after"


def _join_problems(watcher: Watcher, published: PublishedLog) -> Iterator[Violation]:
    """Compares the join of all connections with the log, by what ranges were covered and what arrived."""
    arrived = {event.cursor for message in all_messages(watcher) for event in message.events}
    wanted = watcher.connections[0].wants if watcher.connections else None
    if wanted is None and any(connection.filtered for connection in watcher.connections):
        return  # a filter that is not known
    reached = ""
    position = -1
    for connection in watcher.connections:
        for message in connection.messages:
            position += 1
            start = reached or message.cursor
            if message.gap is None:
                for event in published.between(start, message.cursor):
                    if event.cursor not in arrived and is_wanted(event, wanted):
                        yield Violation("Resumable", "the join misses an event of the log", position)
            reached = message.cursor


def check_watch_bookmarkable(watcher: Watcher, probe: Connection) -> list[Violation]:
    """Bookmarkable: a stream opened after any cursor seen, a heartbeat's too, gives all that came after it.

    Args:
        watcher: Who saw the cursor.
        probe: A connection with the same filter, opened after it. It is judged up to its last message.
    """
    messages = list(all_messages(watcher))
    seen = {message.cursor for message in messages}
    seen |= {event.cursor for message in messages for event in message.events}
    if probe.after_cursor not in seen:
        return [Violation("Bookmarkable", "the stream was not opened after a cursor that was seen", 0)]
    violations = []
    if problem := _resume_problem(probe):
        violations.append(Violation("Bookmarkable", problem, 0))
    got = {event.cursor for message in probe.messages for event in message.events}
    gaps = [message.gap for message in probe.messages if message.gap is not None]
    for position, message in enumerate(messages):
        for event in message.events:
            inside = _within(event.cursor, probe.after_cursor, probe.last_cursor)
            if not inside and event.cursor in got:
                text = "an event from before the bookmark came again"
                violations.append(Violation("Bookmarkable", text, position))
            excused = any(_within(event.cursor, gap.from_cursor, gap.to_cursor) for gap in gaps)
            if inside and event.cursor not in got and not excused:
                text = "an event after the bookmark did not come"
                violations.append(Violation("Bookmarkable", text, position))
    return violations


def _within(cursor: str, after: str, until: str) -> bool:
    """Whether a place is in (after, until]; that may lead from the rest of one epoch into another."""
    place, start, end = place_of(cursor), place_of(after), place_of(until)
    if place is None or start is None or end is None or place.life not in {start.life, end.life}:
        return False
    return (place.life != start.life or start.offset < place.offset) and (
        place.life != end.life or place.offset <= end.offset
    )
