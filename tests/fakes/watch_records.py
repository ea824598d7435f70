"""Records of a watcher and of the log that it watched, made message by message, for those who judge them."""

from __future__ import annotations

from dataclasses import replace

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
)

Messages = list[Message]


def cursor(offset: int, *, log: int = 1, epoch: int = 1) -> str:
    return f"{log:08x}.{epoch:08x}.{offset:016x}"


def event(offset: int, *, epoch: int = 1) -> WatchedEvent:
    return WatchedEvent(cursor(offset, epoch=epoch), f"event {offset}", key_of(offset))


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
    """The promises that a record breaks."""
    return {violation.validator for violation in check_watch(record, published)}
