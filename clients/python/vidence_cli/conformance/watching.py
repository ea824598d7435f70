"""Scenarios of subscribing: live, replayed, resumed everywhere, cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.conformance.bench import Bench, Until, Watched, reached
from vidence_cli.conformance.publishing import publish_all
from vidence_cli.conformance.verdicts import WATCH_GUARANTEES
from vidence_cli.recordings.requests import resumed
from vidence_cli.wire import WATCH_STATISTICS
from vidence_client import conformance

_AT_ONCE = 8
_BOOKMARKS = 40
_CUT_AFTER_MESSAGES = 2

NARROW_FILTERS = (
    event_pb2.EventFilter(types=["conformance.ev*"]),
    event_pb2.EventFilter(subject_pattern="runs/1/*"),
    event_pb2.EventFilter(attributes={"third": "2"}, minimum_severity=event_pb2.SEVERITY_WARNING),
)
"""Each hides a part of what a run publishes."""


@dataclass(frozen=True, slots=True)
class LiveWatching:
    """What those saw who were there while the run published: the run, a part of it, the whole bus."""

    own: Watched
    narrow: Sequence[Watched]
    everything: Watched


async def publish_to_live_watchers(bench: Bench, count: int) -> LiveWatching:
    """Opens subscriptions, publishes, and has them judged; who watches the run also waits for a heartbeat."""
    published = asyncio.Event()
    requests = [bench.request(bench.own()), *(bench.request(bench.own(narrow)) for narrow in NARROW_FILTERS)]
    requests.append(bench.request())
    opened = [asyncio.Event() for _ in requests]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(bench.watch(request, _after_all(bench, published), opened=event))
            for request, event in zip(requests, opened, strict=True)
        ]
        for event in opened:
            await event.wait()
        await publish_all(bench, count)
        published.set()
    own, *narrow, everything = [task.result() for task in tasks]
    bench.judge("live", own)
    for watched in narrow:
        bench.judge("live, filtered", watched)
    bench.judge("live, everything", everything, log=False)  # others publish too
    came = {event.cursor for event in everything.events}
    missing = sum(event.cursor not in came for event in bench.published)
    bench.verdicts.expect("live, everything", "Reliable", not missing, f"{missing} events did not come")
    return LiveWatching(own, narrow, everything)


def _after_all(bench: Bench, published: asyncio.Event) -> Until:
    """Until everything that the run publishes is behind the stream, and a heartbeat came after it."""

    def done(watched: Watched) -> bool:
        if not published.is_set() or not reached(bench.last_cursor)(watched):
            return False
        # on a busy bus an unfiltered stream may never be silent
        return not watched.record.filtered or watched.record.messages[-1].kind is conformance.Kind.HEARTBEAT

    return done


async def resume_everywhere(bench: Bench, seen: Watched) -> None:
    """Resumes after the cursors that a watcher saw, those of heartbeats and single events too."""
    cursors = seen.cursors
    step = max(1, len(cursors) // _BOOKMARKS)
    chosen = dict.fromkeys([*cursors[::step], cursors[-1]])
    limit = asyncio.Semaphore(_AT_ONCE)
    watcher = conformance.Watcher((seen.record,))

    async def probe(cursor: str) -> None:
        request = resumed(bench.request(bench.own()), cursor)
        async with limit:
            watched = await bench.watch(request, reached(bench.last_cursor))
        bench.judge("resumed", watched)
        found = conformance.check_watch_bookmarkable(watcher, watched.record)
        bench.verdicts.judged("resumed", ["Bookmarkable"], found)

    async with asyncio.TaskGroup() as group:
        for cursor in chosen:
            group.create_task(probe(cursor))


async def replay_from_start(bench: Bench) -> None:
    """Reads all that is kept, and what was taken since a time."""
    request = bench.request(bench.own())
    request.position = stream_control_pb2.START_POSITION_EARLIEST
    earliest = await bench.watch(request, reached(bench.last_cursor))
    bench.judge("earliest", earliest)
    _expect_events(bench, "earliest", earliest, bench.published)
    if not earliest.events:
        return
    since = earliest.events[len(earliest.events) // 2].emit_time
    request = bench.request(bench.own())
    request.since_time.CopyFrom(since)
    watched = await bench.watch(request, reached(bench.last_cursor))
    bench.judge("since a time", watched)
    expected = [e for e in earliest.events if e.emit_time.ToNanoseconds() >= since.ToNanoseconds()]
    _expect_events(bench, "since a time", watched, expected)


def _expect_events(
    bench: Bench, scenario: str, watched: Watched, expected: Sequence[event_pb2.Event]
) -> None:
    same = [event.cursor for event in watched.events] == [event.cursor for event in expected]
    bench.verdicts.expect(scenario, "Reliable", same, "what came is not what the log holds")


async def cut_and_resume(bench: Bench) -> None:
    """Cuts a replay every few messages and goes on after the last cursor, until all is read."""
    request = bench.request(bench.own())
    request.after_cursor = bench.published[0].cursor
    connections: list[Watched] = []
    cursor = request.after_cursor
    while not connections or not reached(bench.last_cursor)(connections[-1]):
        watched = await bench.watch(resumed(request, cursor), _a_few_or(bench.last_cursor))
        connections.append(watched)
        if not watched.complete:
            break
        cursor = watched.record.last_cursor
    bench.judge("cut and resumed", *connections)


def _a_few_or(last_cursor: str) -> Until:
    return lambda watched: len(watched.messages) >= _CUT_AFTER_MESSAGES or reached(last_cursor)(watched)


async def stay_quiet(bench: Bench) -> None:
    """A subscriber whose filter hides everything gets heartbeats, with the cursor that was looked at."""
    request = bench.request(event_pb2.EventFilter(types=["conformance.never"]))
    watched = await bench.watch(request, lambda seen: len(seen.messages) > 2)
    bench.judge("quiet", watched)
    kinds = [message.kind for message in watched.record.messages[1:]]
    alive = kinds == [conformance.Kind.HEARTBEAT] * 2
    bench.verdicts.expect("quiet", "Alive", alive, "it got no heartbeats")


async def watch_numbers(bench: Bench) -> None:
    """Watches the statistics of the bus: a watch stream with its own log."""
    request = event_service_pb2.WatchStatisticsRequest()
    request.heartbeat_period.FromSeconds(1)
    watched = await bench.watch(request, lambda seen: len(seen.events) >= 2, rpc=WATCH_STATISTICS)
    watcher = conformance.Watcher((watched.record,))
    bench.verdicts.expect("statistics", "Alive", watched.complete, "no two snapshots came")
    bench.verdicts.judged("statistics", WATCH_GUARANTEES, conformance.check_watch(watcher))
