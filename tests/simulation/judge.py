"""Judges a history: the validators of watch streams, and what was promised to publishers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simulation.disk_image import LogImage
from simulation.machine import Machine
from simulation.observed import WatcherRecord
from vidence.event.v1.event_pb2 import Event
from vidence_client.conformance import LoggedEvent, LoggedHole, PublishedLog, Watcher, check_watch
from vidence_server.streams.append import Durability
from vidence_server.streams.cursor import Cursor, log_id
from vidence_server.streams.durable.store import Record

_STOPS = frozenset({"KILLED", "KILLED_AT_DISK", "POWER_CUT"})
_DISK = frozenset({"DISK_FULL", "COMMIT_FAILED", "OUTCOME_UNKNOWN", "INSERT_FAILED"})
# What a gap's reason can come from. A clean stop that the disk did not let finish is no clean one.
_CAUSES: Mapping[str, frozenset[str]] = {
    "UNCLEAN_STOP": _STOPS | _DISK,
    "CORRUPT": frozenset({"RECORD_CORRUPT", "PAGE_UNREADABLE"}),
    "EPHEMERAL": _DISK,
    "EXPIRED": frozenset(),
    "EPOCH": frozenset(),
    "OVERFLOW": frozenset(),
}


PROMISES: Mapping[str, str] = {
    "Durable": "What was acknowledged is in the log, at the place and the durability that were told.",
    "PersistedFirst": "Nothing is broadcast before it has the durability that its publisher asked for.",
    "NeverReused": "An offset names one event, for ever, also after a power cut.",
    "Once": "An identity that is kept is in the log once, and times never fall along the log.",
    "Counted": "The events of a publisher that numbers them stand in its order.",
    "Since": "A start at a time leaves out nothing that was taken at or after it.",
    "Honest": "The reason that a gap gives is one that this history has.",
    "Alive": "No subscription is silent for longer than its heartbeat period.",
    "Live": "When all is well again everybody is told everything, without anything new that would wake them.",
    "Sound": "The server raises nothing unforeseen, never spins, and its tasks end.",
}
"""What a history is judged by beside the validators of watch streams."""


class Finding(NamedTuple):
    """A promise that a history breaks."""

    promise: str
    text: str


Judgement = Sequence[Finding]


class Known(NamedTuple):
    """An event that had a place."""

    identity: str
    key: str
    time_ns: int


def judge(machine: Machine) -> Judgement:
    """All that is wrong with a history; empty where every promise was kept."""
    observed = machine.observed
    findings = [Finding("Sound", text) for text in observed.errors]
    findings += [Finding("PersistedFirst", text) for text in observed.early]
    findings += [Finding("Alive", text) for text in observed.quiet]
    image = next(iter(machine.disk.image.values()), None)
    if image is None:
        return findings
    known, reused = _known(machine)
    findings += reused
    findings += _check_durable(machine, image)
    findings += _check_kept_once(image)
    findings += _check_counts(machine, image)
    findings += _check_honest(machine)
    published = _published(machine, image, known)
    for record in observed.watchers:
        findings += _check_watcher(record, published, known)
    return findings


def _identity(record: Record) -> str:
    """By what was published, not by what the log made of it."""
    event = Event.FromString(record.body)
    return f"{event.source}\n{event.id}"


def _known(machine: Machine) -> tuple[dict[int, Known], list[Finding]]:
    """Every event that ever had an offset, kept or not, and offsets that two had."""
    known: dict[int, Known] = {}
    findings = []
    told = [(t.offset, Known(t.identity, t.key, t.time_ns)) for t in machine.observed.told]
    kept = [
        (record.offset, Known(_identity(record), str(record.key), record.time_ns))
        for record in machine.disk.ever.values()
    ]
    for offset, event in [*told, *kept]:
        earlier = known.setdefault(offset, event)
        if earlier != event:
            findings.append(Finding("NeverReused", f"offset {offset} was given twice"))
    return known, findings


def _published(machine: Machine, image: LogImage, known: dict[int, Known]) -> PublishedLog:
    """The truth that validators compare with. Offsets that never had an event are holes."""
    log = log_id("default", "bus")
    lost = machine.disk.corrupt | machine.disk.unreadable
    events = [
        LoggedEvent(
            str(Cursor(log, image.epoch, offset)),
            known[offset].identity,
            known[offset].key,
            gone=offset not in image.records or offset in lost or offset <= machine.disk.expired_until,
        )
        for offset in sorted(known)
    ]
    holes = []
    before = 0
    for offset in [*sorted(known), max(image.extent.newest, image.reserved, *known, 0) + 1]:
        if offset > before + 1:
            start, end = Cursor(log, image.epoch, before), Cursor(log, image.epoch, offset - 1)
            holes.append(LoggedHole(str(start), str(end)))
        before = offset
    return PublishedLog(events, holes)


def _check_durable(machine: Machine, image: LogImage) -> Iterator[Finding]:
    """Durable: what was acknowledged is in the log where it was told, unless something took it that may."""
    struck = set(machine.observed.struck)
    may_lose = {
        Durability.MEMORY: set(_STOPS | _DISK),
        Durability.WRITTEN: {"POWER_CUT"},
        Durability.SYNCED: set[str](),
    }
    for ack in machine.observed.acks:
        offset = image.identities.get(ack.identity)
        if ack.offset <= machine.disk.expired_until or struck & may_lose[ack.durability]:
            continue
        if offset is None:
            yield Finding("Durable", f"offset {ack.offset}, acknowledged as {ack.durability.name}, is gone")
        elif offset != ack.offset:
            yield Finding("Durable", f"offset {ack.offset} was acknowledged, the event is at {offset}")


def _check_kept_once(image: LogImage) -> Iterator[Finding]:
    """Once: an identity is in the log once, and times do not fall along it."""
    counts = Counter(_identity(record) for record in image.records.values())
    for identity, count in counts.items():
        if count > 1:
            yield Finding("Once", f"{identity!r} is in the log {count} times")
    times = [image.records[offset].time_ns for offset in sorted(image.records)]
    if times != sorted(times):
        yield Finding("Once", "times fall along the log")


def _check_counts(machine: Machine, image: LogImage) -> Iterator[Finding]:
    """Counted: a publisher's events stand in its own order."""
    last: dict[str, int] = {}
    for offset in sorted(image.records):
        source, _, number = _identity(image.records[offset]).partition("\n")
        if source in machine.observed.counted and int(number) <= last.get(source, -1):
            yield Finding("Counted", f"offset {offset} is out of its publisher's order")
        last[source] = int(number)


def _check_honest(machine: Machine) -> Iterator[Finding]:
    """Honest: a gap gives a reason that this history gave."""
    struck = set(machine.observed.struck)
    for record in machine.observed.watchers:
        for connection in (*record.watcher.connections, *record.probes):
            for message in connection.messages:
                if message.gap is not None and not struck & _CAUSES[message.gap.reason]:
                    retained = message.gap.reason == "EXPIRED" and machine.disk.expired_until > 0
                    if not retained:
                        yield Finding("Honest", f"{record.name} was told {message.gap.reason} for no reason")


def _check_watcher(
    record: WatcherRecord, published: PublishedLog, known: dict[int, Known]
) -> Iterator[Finding]:
    for violation in check_watch(record.watcher, published, probes=record.probes):
        text = f"{record.name}, message {violation.position}: {violation.message}"
        yield Finding(violation.validator, text)
    for probe in record.probes:
        for violation in check_watch(Watcher((probe,)), published):
            yield Finding(violation.validator, f"{record.name}, probe: {violation.message}")
    if not record.caught_up:
        yield Finding("Live", f"{record.name} was not told everything when all was well again")
    if record.since_ns is not None:
        yield from _check_since(record, known)


def _check_since(record: WatcherRecord, known: dict[int, Known]) -> Iterator[Finding]:
    """Since: a start at a time leaves out nothing that was taken at or after it."""
    first = next((c.messages[0].cursor for c in record.watcher.connections if c.messages), "")
    if not first or record.since_ns is None:
        return
    start = Cursor.parse(first).offset
    if any(event.time_ns >= record.since_ns for offset, event in known.items() if offset <= start):
        yield Finding("Since", f"{record.name} started behind an event that it asked for")
