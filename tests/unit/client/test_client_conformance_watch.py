"""Each validator of watch streams passes a good record and catches the violation that was seeded for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vidence_client.conformance import (
    Connection,
    Gap,
    Kind,
    LoggedEvent,
    LoggedHole,
    Message,
    PublishedLog,
    WatchedEvent,
    Watcher,
    check_watch,
    check_watch_bookmarkable,
    check_watch_isolated,
    check_watch_ordered,
)

pytestmark = pytest.mark.requirement("R-ST1")

Messages = list[Message]


def cursor(offset: int, *, log: int = 1, epoch: int = 1) -> str:
    return f"{log:08x}.{epoch:08x}.{offset:016x}"


def event(offset: int) -> WatchedEvent:
    return WatchedEvent(cursor(offset), f"event {offset}", key_of(offset))


def key_of(offset: int) -> str:
    return "odd" if offset % 2 else "even"


def wants_odd(key: object) -> bool:
    return key == "odd"


def connected(offset: int) -> Message:
    return Message(Kind.CONNECTED, cursor(offset), "", told_cursor=cursor(offset))


def events(after: int, until: int, *, offsets: list[int] | None = None) -> Message:
    inside = range(after + 1, until + 1) if offsets is None else offsets
    return Message(Kind.EVENTS, cursor(until), cursor(after), tuple(event(offset) for offset in inside))


def heartbeat(after: int, until: int) -> Message:
    return Message(Kind.HEARTBEAT, cursor(until), cursor(after), told_cursor=cursor(until))


def gap(after: int, until: int, reason: str = "UNCLEAN_STOP", missed: int | None = None) -> Message:
    told = Gap(cursor(after), cursor(until), reason, missed)
    return Message(Kind.GAP, cursor(until), cursor(after), gap=told)


def disconnected(offset: int) -> Message:
    return Message(Kind.DISCONNECTED, cursor(offset), cursor(offset), told_cursor=cursor(offset))


# The log: events 1 to 8, of which 5 and 6 went with an unclean stop, a hole (8, 12], events 13 to 15.
PUBLISHED = PublishedLog(
    [
        LoggedEvent(cursor(o), f"event {o}", key_of(o), gone=o in {5, 6})
        for o in (*range(1, 9), *range(13, 16))
    ],
    [LoggedHole(cursor(8), cursor(12))],
)


def first_messages() -> Messages:
    return [connected(0), events(0, 2), heartbeat(2, 2), events(2, 4), disconnected(4)]


def second_messages() -> Messages:
    return [connected(4), gap(4, 6, missed=2), events(6, 8), gap(8, 12), events(12, 15)]


def watcher(first: Messages | None = None, second: Messages | None = None, **changes: object) -> Watcher:
    """A good record of two connections; `messages` and `changes` of the second one make it worse."""
    one = Connection(tuple(first or first_messages()), after_cursor=cursor(0), ended_by_server=True)
    two = Connection(tuple(second or second_messages()), after_cursor=cursor(4))
    return Watcher((one, replace(two, **changes)))  # type: ignore[arg-type]  # whatever fields a test changes


def filtered(*messages: Message) -> Watcher:
    """A record of one connection that asked for odd events."""
    return Watcher((Connection(messages, after_cursor=cursor(0), wants=wants_odd, filtered=True),))


def good_filtered() -> Messages:
    return [
        connected(0),
        events(0, 4, offsets=[1, 3]),
        gap(4, 6, missed=1),
        heartbeat(6, 6),
        events(6, 8, offsets=[7]),
    ]


def names(record: Watcher, published: PublishedLog | None = PUBLISHED) -> set[str]:
    return {violation.validator for violation in check_watch(record, published)}


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


RESUMABLE = {
    "resumed elsewhere": watcher(after_cursor=cursor(3)),
    "connected elsewhere": watcher(second=[connected(6), events(6, 8)]),
    "a join with an event missing": watcher(
        first=[connected(0), events(0, 4, offsets=[1, 2, 3]), disconnected(4)],
    ),
}


@pytest.mark.parametrize("record", RESUMABLE.values(), ids=RESUMABLE.keys())
def test_resumable_catches_joins_that_are_not_the_log(record: Watcher) -> None:
    assert "Resumable" in names(record)


def test_a_gap_from_the_asked_cursor_excuses_another_start() -> None:
    late = [replace(gap(4, 6), previous_cursor=""), events(6, 8)]
    assert "Resumable" not in names(watcher(second=late))


BOOKMARKS = {
    "an event after it did not come": Connection(
        (connected(2), events(2, 4, offsets=[4])), after_cursor=cursor(2)
    ),
    "an event before it came again": Connection(
        (connected(2), events(2, 4, offsets=[2, 3, 4])), after_cursor=cursor(2)
    ),
    "it was never seen": Connection((connected(9), events(9, 10)), after_cursor=cursor(9)),
    "the stream starts elsewhere": Connection((connected(3), events(3, 4)), after_cursor=cursor(2)),
}


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("probe", BOOKMARKS.values(), ids=BOOKMARKS.keys())
def test_bookmarkable_catches_bookmarks_that_lose_or_repeat(probe: Connection) -> None:
    found = check_watch_bookmarkable(watcher(), probe)
    assert {violation.validator for violation in found} == {"Bookmarkable"}


@pytest.mark.requirement("R-ST4")
def test_a_gap_excuses_what_a_bookmark_lost() -> None:
    probe = Connection((connected(2), gap(2, 4, "EXPIRED"), gap(4, 6)), after_cursor=cursor(2))
    assert check_watch_bookmarkable(watcher(), probe) == []


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
