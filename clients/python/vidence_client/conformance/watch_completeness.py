"""Nothing twice, nothing left out silently, nothing that was not asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidence_client.conformance.record import (
    Connection,
    Gap,
    Kind,
    Message,
    PublishedLog,
    WatchedEvent,
    Watcher,
    all_messages,
    is_wanted,
    place_of,
)
from vidence_client.conformance.violation import Violation

# After these the log may hold an event a second time: the first one was lost, and its publisher may have
# sent it again.
_LOSING_GAPS = frozenset({"UNCLEAN_STOP", "EPOCH"})


def check_watch_unique(watcher: Watcher, published: PublishedLog | None = None) -> list[Violation]:
    """Unique: no event comes twice, by cursor or identity, on all connections of a watcher together.

    An identity may come again after a gap by which the log lost it, UNCLEAN_STOP or EPOCH, and where the
    log itself forgot the first one and took it again.
    """
    violations = []
    cursors: set[str] = set()
    identities: set[str] = set()
    for position, message in enumerate(all_messages(watcher)):
        if message.gap is not None and message.gap.reason in _LOSING_GAPS:
            identities.clear()
        for event in message.events:
            if event.cursor in cursors:
                violations.append(Violation("Unique", "an event came again with the same cursor", position))
            elif event.identity in identities and not (published and published.took_again(event.cursor)):
                violations.append(Violation("Unique", "an event came again with another cursor", position))
            cursors.add(event.cursor)
            identities.add(event.identity)
    return violations


def check_watch_reliable(connection: Connection, published: PublishedLog | None = None) -> list[Violation]:
    """Reliable: nothing is left out without a gap, and a gap stands only where something is missing.

    Without a filter each offset that a message covers is an event of it. With the log's truth also: no
    message but a gap covers a hole, a gap covers no wanted event that was always there, and it never tells
    more events than it misses.
    """
    violations = []
    for position, message in enumerate(connection.messages):
        problems: Iterable[str]
        if message.gap is not None:
            problems = _gap_problems(message.gap, connection, published)
        elif message.kind is Kind.CONNECTED:
            continue
        else:
            problems = _cover_problems(message, published, filtered=connection.filtered)
        violations += [Violation("Reliable", problem, position) for problem in problems]
    return violations


def _gap_problems(gap: Gap, connection: Connection, published: PublishedLog | None) -> Iterator[str]:
    start, end = place_of(gap.from_cursor), place_of(gap.to_cursor)
    if start is None or end is None:
        yield "a gap has no cursors"
        return
    if start.life != end.life:
        if gap.reason != ("EPHEMERAL" if connection.in_memory else "EPOCH"):
            yield "a gap leads into another log or epoch without saying so"
        return
    if start.offset >= end.offset:
        yield "a gap covers nothing"
    if gap.missed_count is not None and gap.missed_count > end.offset - start.offset:
        yield "a gap tells more missing events than it has offsets"
    if published is None:
        return
    missed = published.between(gap.from_cursor, gap.to_cursor)
    if gap.missed_count is not None and gap.missed_count > len(missed):
        yield "a gap tells more missing events than the log had"
    unknown = connection.filtered and connection.wants is None
    there = (not event.gone and is_wanted(event, connection.wants) for event in missed)
    if gap.reason != "OVERFLOW" and not unknown and any(there):
        yield "a gap covers an event that was always there"


def _cover_problems(message: Message, published: PublishedLog | None, *, filtered: bool) -> Iterator[str]:
    start, end = place_of(message.previous_cursor), place_of(message.cursor)
    if start is None or end is None or start.life != end.life:
        return  # the chain says so
    if published is not None and published.has_hole_between(message.previous_cursor, message.cursor):
        yield "a hole of the log was passed without a gap"
    if filtered:
        return
    expected = (
        end.offset - start.offset
        if published is None
        else len(published.between(message.previous_cursor, message.cursor))
    )
    if len(message.events) < expected:
        yield f"{expected - len(message.events)} events of the covered range are missing"


def check_watch_filtered(connection: Connection, published: PublishedLog | None = None) -> list[Violation]:
    """Filtered: of what a message covers, all events that match the known filter and none that does not."""
    wants = connection.wants
    if wants is None:
        return []
    violations = []
    for position, message in enumerate(connection.messages):
        unwanted = sum(not wants(_key(event, published)) for event in message.events)
        if unwanted:
            violations.append(Violation("Filtered", f"{unwanted} events do not match the filter", position))
        if published is None or message.kind in {Kind.GAP, Kind.CONNECTED}:
            continue
        came = {event.cursor for event in message.events}
        covered = published.between(message.previous_cursor, message.cursor)
        missing = sum(event.cursor not in came and wants(event.key) for event in covered)
        if missing:
            violations.append(Violation("Filtered", f"{missing} events that match did not come", position))
    return violations


def _key(event: WatchedEvent, published: PublishedLog | None) -> object:
    logged = None if published is None else published.at(event.cursor)
    return event.key if logged is None else logged.key
