"""Each validator of watch streams passes a good record and catches the violation that was seeded for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fakes.watch_records import (
    PUBLISHED,
    Messages,
    connected,
    cursor,
    disconnected,
    event,
    events,
    filtered,
    first_messages,
    gap,
    good_filtered,
    heartbeat,
    names,
    second_messages,
    watcher,
)
from vidence_client.conformance import (
    Connection,
    Gap,
    Kind,
    LoggedEvent,
    Message,
    PublishedLog,
    WatchedEvent,
    Watcher,
    check_watch,
    check_watch_isolated,
    check_watch_ordered,
)

pytestmark = pytest.mark.requirement("R-ST1")


@pytest.mark.parametrize("published", [PUBLISHED, None], ids=["with the log", "alone"])
@pytest.mark.parametrize("record", [watcher(), filtered(*good_filtered())], ids=["all", "filtered"])
def test_a_good_record_passes(record: Watcher, published: PublishedLog | None) -> None:
    probe = Connection((connected(2), events(2, 4)), after_cursor=cursor(2))
    probes = [] if record.connections[0].filtered else [probe]
    assert check_watch(record, published, probes=probes) == []


def changed(position: int, change: Callable[[Message], Message]) -> Watcher:
    messages = second_messages()
    messages[position] = change(messages[position])
    return watcher(second=messages)


ORDERED = {
    "no connected": watcher(second=second_messages()[1:]),
    "connected twice": watcher(first=[connected(0), connected(0), *first_messages()[1:]]),
    "no cursor": Watcher((Connection((Message(Kind.CONNECTED, "", "", told_cursor=""),)),)),
    "another cursor inside": changed(0, lambda m: replace(m, told_cursor=cursor(3))),
    "unknown kind": watcher(
        first=[connected(0), Message(Kind.UNKNOWN, cursor(0), cursor(0))], second=[connected(4)]
    ),
    "events swapped": changed(2, lambda m: replace(m, events=m.events[::-1])),
    "an event outside of its message": changed(2, lambda m: replace(m, events=(event(7), event(13)))),
    "an event at another's place": changed(
        2, lambda m: replace(m, events=(event(7), replace(event(8), identity="event 3")))
    ),
}


@pytest.mark.parametrize("record", ORDERED.values(), ids=ORDERED.keys())
def test_ordered_catches_what_is_out_of_order(record: Watcher) -> None:
    assert "Ordered" in names(record)


def test_ordered_catches_messages_that_go_back() -> None:
    back = Connection((connected(0), events(0, 4), events(4, 2, offsets=[])))
    assert [v.position for v in check_watch_ordered(back)] == [2]


def test_unique_catches_an_event_that_comes_again_on_the_next_connection() -> None:
    again = watcher(second=[connected(4), gap(4, 6), events(6, 8, offsets=[3, 7, 8])])
    assert "Unique" in names(again)


def test_unique_catches_an_identity_that_comes_again_at_another_place() -> None:
    twice = PublishedLog([LoggedEvent(cursor(1), "one"), LoggedEvent(cursor(2), "one")])
    message = Message(
        Kind.EVENTS, cursor(2), cursor(0), (WatchedEvent(cursor(1), "one"), WatchedEvent(cursor(2), "one"))
    )
    record = Watcher((Connection((connected(0), message)),))
    assert "Unique" in names(record, twice)
    assert names(record, None) == {"Unique"}


def test_an_event_that_the_log_lost_may_come_again_after_the_gap() -> None:
    lost = Message(Kind.EVENTS, cursor(1), cursor(0), (WatchedEvent(cursor(1), "one"),))
    again = Message(Kind.EVENTS, cursor(9), cursor(8), (WatchedEvent(cursor(9), "one"),))
    record = Watcher((Connection((connected(0), lost, gap(1, 8), again)),))
    assert names(record, None) == set()


RELIABLE = {
    "an event left out": changed(2, lambda m: replace(m, events=m.events[1:])),
    "a hole passed without a gap": watcher(
        second=[connected(4), gap(4, 6), events(6, 15, offsets=[7, 8, 13, 14, 15])]
    ),
    "a gap over events that were there": watcher(
        second=[connected(4), gap(4, 8), gap(8, 12), events(12, 15)]
    ),
    "a gap that tells too many": watcher(second=[connected(4), gap(4, 6, missed=3)]),
    "a gap over nothing": watcher(second=[connected(4), gap(4, 4)]),
    "a gap without cursors": changed(1, lambda m: replace(m, gap=Gap("", "", "CORRUPT"))),
    "a gap into another epoch for no reason": changed(
        1, lambda m: replace(m, gap=Gap(cursor(4, epoch=2), cursor(6), "CORRUPT"))
    ),
    "a heartbeat over events": watcher(first=[connected(0), heartbeat(0, 4), disconnected(4)]),
}


@pytest.mark.parametrize("record", RELIABLE.values(), ids=RELIABLE.keys())
def test_reliable_catches_what_is_left_out_silently(record: Watcher) -> None:
    assert "Reliable" in names(record)


def test_reliable_sees_a_missing_event_in_a_recording_alone() -> None:
    record = changed(2, lambda m: replace(m, events=m.events[1:]))
    assert names(record, None) == {"Reliable"}


def test_reliable_sees_a_gap_that_tells_more_events_than_the_log_had() -> None:
    record = watcher(second=[connected(4), gap(4, 6), events(6, 8), gap(8, 12, missed=1), events(12, 15)])
    assert names(record) == {"Reliable"}


FILTERED = {
    "an event that does not match": [connected(0), events(0, 4, offsets=[1, 2, 3])],
    "a matching event left out": [connected(0), events(0, 4, offsets=[1])],
    "a heartbeat over a matching event": [connected(0), heartbeat(0, 4)],
}


@pytest.mark.parametrize("messages", FILTERED.values(), ids=FILTERED.keys())
def test_filtered_catches_what_does_not_match_and_what_is_missing(messages: Messages) -> None:
    assert "Filtered" in names(filtered(*messages))


def test_filtered_sees_an_unwanted_event_in_a_recording_alone() -> None:
    assert names(filtered(connected(0), events(0, 2)), None) == {"Filtered"}


CHAINED = {
    "another previous cursor": changed(2, lambda m: replace(m, previous_cursor=cursor(5))),
    "none": changed(2, lambda m: replace(m, previous_cursor="")),
    "one in the first message": changed(0, lambda m: replace(m, previous_cursor=cursor(4))),
    "a gap with another range": changed(1, lambda m: replace(m, gap=Gap(cursor(4), cursor(5), "CORRUPT"))),
    "disconnected further on": watcher(
        first=[*first_messages()[:-1], replace(disconnected(6), previous_cursor=cursor(4))]
    ),
}


@pytest.mark.parametrize("record", CHAINED.values(), ids=CHAINED.keys())
def test_chained_catches_a_broken_chain(record: Watcher) -> None:
    assert "Chained" in names(record)


TERMINATED = {
    "nothing said": [connected(0), events(0, 4)],
    "something after it": [*first_messages(), heartbeat(4, 4)],
    "twice": [*first_messages(), disconnected(4)],
}


@pytest.mark.parametrize("messages", TERMINATED.values(), ids=TERMINATED.keys())
def test_terminated_catches_a_wrong_end(messages: Messages) -> None:
    assert names(watcher(first=messages)) == {"Terminated"}


def test_isolated_catches_a_cursor_of_another_log() -> None:
    foreign = replace(event(1), cursor=cursor(1, log=2))
    record = Watcher((Connection((connected(0), replace(events(0, 1), events=(foreign,)))),))
    assert "Isolated" in names(record, None)


def test_isolated_catches_an_event_of_nobody() -> None:
    foreign = replace(event(1), identity="event of another tenant")
    record = Watcher((Connection((connected(0), replace(events(0, 1), events=(foreign,)))),))
    assert names(record) == {"Isolated"}


def test_isolated_knows_the_log_that_was_asked_for() -> None:
    connection = Connection((connected(0),))
    assert check_watch_isolated(connection, log=cursor(0)[:8]) == []
    assert [v.validator for v in check_watch_isolated(connection, log="00000002")] == ["Isolated"]


def test_positions_count_over_all_connections() -> None:
    record = changed(2, lambda m: replace(m, events=m.events[::-1]))
    ordered = [violation for violation in check_watch(record) if violation.validator == "Ordered"]
    assert [violation.position for violation in ordered] == [7]
