"""What resumes is judged as one: joins of connections, bookmarks, and logs that were replaced between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.watch_records import (
    connected,
    cursor,
    disconnected,
    event,
    events,
    gap,
    names,
    watcher,
)
from vidence_client.conformance import (
    Connection,
    Gap,
    Kind,
    Message,
    Watcher,
    check_watch_bookmarkable,
    check_watch_reliable,
)

pytestmark = [pytest.mark.requirement("R-ST1"), pytest.mark.requirement("R-ST4")]


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


@pytest.mark.parametrize("probe", BOOKMARKS.values(), ids=BOOKMARKS.keys())
def test_bookmarkable_catches_bookmarks_that_lose_or_repeat(probe: Connection) -> None:
    found = check_watch_bookmarkable(watcher(), probe)
    assert {violation.validator for violation in found} == {"Bookmarkable"}


def test_a_gap_excuses_what_a_bookmark_lost() -> None:
    probe = Connection((connected(2), gap(2, 4, "EXPIRED"), gap(4, 6)), after_cursor=cursor(2))
    assert check_watch_bookmarkable(watcher(), probe) == []


def into_new_log(offset: int, reason: str = "EPOCH") -> Message:
    """A gap from the log's end into one that took its place."""
    told = Gap(cursor(offset), cursor(0, epoch=2), reason, None)
    return Message(Kind.GAP, told.to_cursor, told.from_cursor, gap=told)


def of_new_log(*offsets: int) -> Message:
    there = tuple(event(offset, epoch=2) for offset in offsets)
    return Message(Kind.EVENTS, cursor(offsets[-1], epoch=2), cursor(offsets[0] - 1, epoch=2), there)


def through_both(*after: Message) -> Watcher:
    return watcher(second=[connected(4), into_new_log(4), *after])


def test_a_bookmark_leads_through_a_log_that_was_replaced() -> None:
    probe = Connection(
        (connected(2), into_new_log(2), of_new_log(1, 2)),
        after_cursor=cursor(2),
    )
    assert check_watch_bookmarkable(through_both(of_new_log(1, 2)), probe) == []


def test_bookmarkable_misses_an_event_of_the_new_log() -> None:
    probe = Connection(
        (connected(2), into_new_log(2), replace(of_new_log(1, 2), events=(event(2, epoch=2),))),
        after_cursor=cursor(2),
    )
    found = check_watch_bookmarkable(through_both(of_new_log(1, 2)), probe)
    assert [violation.message for violation in found] == ["an event after the bookmark did not come"]


def test_bookmarkable_catches_an_event_of_the_old_log_after_a_bookmark_of_the_new_one() -> None:
    start = Message(Kind.CONNECTED, cursor(1, epoch=2), "", told_cursor=cursor(1, epoch=2))
    probe = Connection(
        (start, replace(of_new_log(2), events=(event(3), event(2, epoch=2)))), after_cursor=cursor(1, epoch=2)
    )
    found = check_watch_bookmarkable(through_both(of_new_log(1, 2)), probe)
    assert [violation.message for violation in found] == ["an event from before the bookmark came again"]


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("reason", ["EPOCH", "EPHEMERAL", "UNCLEAN_STOP"])
def test_a_gap_into_another_epoch_says_what_kind_of_log_it_was(reason: str, in_memory: bool) -> None:
    connection = Connection((connected(4), into_new_log(4, reason), of_new_log(1)), in_memory=in_memory)
    right = reason == ("EPHEMERAL" if in_memory else "EPOCH")
    assert (check_watch_reliable(connection) == []) is right
