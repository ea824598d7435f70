"""Judges recorded watch streams: one function for each guarantee of the contract.

Every function judges what it can: with the log's truth (`PublishedLog`) all that was promised; of a
recording alone, what the record itself proves. They never repeat what an event says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from vidence_client.conformance.record import Connection, PublishedLog, Watcher
from vidence_client.conformance.violation import Violation
from vidence_client.conformance.watch_completeness import (
    check_watch_filtered,
    check_watch_reliable,
    check_watch_unique,
)
from vidence_client.conformance.watch_order import (
    check_watch_chained,
    check_watch_isolated,
    check_watch_ordered,
    check_watch_terminated,
)
from vidence_client.conformance.watch_resume import check_watch_bookmarkable, check_watch_resumable

VALIDATORS: Sequence[Callable[..., list[Violation]]] = (
    check_watch_ordered,
    check_watch_unique,
    check_watch_reliable,
    check_watch_resumable,
    check_watch_bookmarkable,
    check_watch_filtered,
    check_watch_chained,
    check_watch_terminated,
    check_watch_isolated,
)
"""One for each guarantee of a watch stream."""


def check_watch(
    watcher: Watcher, published: PublishedLog | None = None, *, probes: Iterable[Connection] = ()
) -> list[Violation]:
    """Judges all connections of one watcher by every validator.

    Args:
        watcher: What it saw. Positions of violations count the messages of all its connections.
        published: What the log held; None: only the record is judged.
        probes: Other connections with the same filter, opened after cursors that this watcher saw.

    Returns:
        What is wrong, by validator and position; empty where every guarantee holds.
    """
    violations = [*check_watch_unique(watcher, published), *check_watch_resumable(watcher, published)]
    first = 0
    for connection in watcher.connections:
        found = [
            *check_watch_ordered(connection, published),
            *check_watch_chained(connection),
            *check_watch_reliable(connection, published),
            *check_watch_filtered(connection, published),
            *check_watch_isolated(connection, published),
            *check_watch_terminated(connection),
        ]
        violations += [Violation(v.validator, v.message, v.position + first) for v in found]
        first += len(connection.messages)
    for probe in probes:
        violations += check_watch_bookmarkable(watcher, probe)
    return violations
