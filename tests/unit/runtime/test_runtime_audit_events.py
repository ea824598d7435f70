"""Audit events: what is told, what is not, and what a bus that is away costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from eventually import eventually
from fakes.access import all_methods
from vidence.access.v1 import audit_events_pb2
from vidence.event.v1 import event_pb2
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.access_rules import rule_of
from vidence_server.runtime.audit_events import AuditEntry, AuditEvents, AuditRules, is_action
from vidence_server.storage.outbox import OutboxEvent

CLOCK = SystemClock()


class Bus:
    """A bus that can be away, keep a call waiting, or refuse what it is given."""

    def __init__(self) -> None:
        self.log: dict[str, OutboxEvent] = {}
        self.fails: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        await self.answers.wait()
        if self.fails is not None:
            raise self.fails
        for event in events:
            self.log.setdefault(event.event_id, event)

    def kinds(self) -> list[str]:
        return [event.type for event in self.log.values()]

    def methods(self) -> list[str]:
        return [event.subject.rpartition("/")[2] for event in self.log.values()]


def events_to(bus: Bus, *, waiting: int = 1000, per_s: float = 1e6, batch: int = 100) -> AuditEvents:
    rules = AuditRules("operators", waiting=waiting, per_s=per_s, batch=batch)
    return AuditEvents(bus, rules, clock=CLOCK, ids=IdFactory(CLOCK), random=lambda: 0.0)


def call(method: str, outcome: str = "OK", *, principal: str = "key_1") -> AuditEntry:
    return AuditEntry(principal, "acme", "vidence.x.v1.XService", method, outcome, 0.25, "req_1")


@pytest.mark.requirement("R-OP5")
async def test_an_entry_becomes_an_event_of_the_operators_with_who_what_and_how_it_ended() -> None:
    bus = Bus()
    async with events_to(bus) as events:
        events.tell(call("Delete"), refused=False)
        events.tell(call("Delete", "SCOPE_MISSING"), refused=True)
        events.tell(call("Delete", "CREDENTIAL_EXPIRED", principal=""), refused=True)
        events.tell(call("Push", "RATE_LIMITED", principal="session ipv4:203.0.113.9"), refused=True)
        await eventually(lambda: len(bus.log) == 4)
    told = [event_pb2.Event.FromString(each.encoded) for each in bus.log.values()]
    assert sorted(event.type for event in told) == [
        "audit.call_denied",
        "audit.call_denied",
        "audit.call_made",
        "audit.credential_rejected",
    ]
    assert {each.tenant for each in bus.log.values()} == {"operators"}
    made = audit_events_pb2.CallAudited()
    assert told[0].data.Unpack(made)
    assert (made.principal, made.tenant, made.outcome) == ("key_1", "acme", "OK")
    assert made.method == told[0].subject == "vidence.x.v1.XService/Delete"
    assert (made.request_id, made.duration.ToMilliseconds()) == ("req_1", 250)
    assert told[0].severity == event_pb2.SEVERITY_INFO
    assert {event.severity for event in told[1:]} == {event_pb2.SEVERITY_WARNING}
    # An address stays in the log.
    assert b"203.0.113.9" not in b"".join(each.encoded for each in bus.log.values())


@pytest.mark.requirement("R-OP5", "R-EV6")
async def test_entries_wait_while_the_bus_is_away_and_come_once() -> None:
    bus = Bus()
    bus.fails = DomainError(Reason.NOT_READY, "The bus cannot be reached.")
    async with events_to(bus) as events:
        for number in range(3):
            events.tell(call(f"M{number}"), refused=False)
        await eventually(lambda: events.statistics().failures > 2)
        assert events.statistics().waiting == 3
        bus.fails = None
        await eventually(lambda: len(bus.log) == 3)
        await eventually(lambda: events.statistics().waiting == 0)
    assert bus.methods() == ["M0", "M1", "M2"]


@pytest.mark.requirement("R-OP5")
async def test_what_has_no_place_is_counted_and_told_as_a_number() -> None:
    bus = Bus()
    bus.answers.clear()
    async with events_to(bus, waiting=5) as events:
        for number in range(12):
            events.tell(call(f"M{number}"), refused=False)
        assert events.statistics().waiting == 5
        assert events.statistics().dropped == 7
        bus.answers.set()
        await eventually(lambda: len(bus.log) == 6)
    # The oldest are kept: they show how it began.
    assert bus.methods()[:5] == ["M0", "M1", "M2", "M3", "M4"]
    notice = event_pb2.Event.FromString(list(bus.log.values())[-1].encoded)
    dropped = audit_events_pb2.EntriesDropped()
    assert notice.type == "audit.entries_dropped"
    assert notice.data.Unpack(dropped)
    assert dropped.dropped_count == 7


@pytest.mark.requirement("R-OP5")
async def test_a_flood_of_refusals_does_not_push_out_what_others_did() -> None:
    bus = Bus()
    bus.answers.clear()
    async with events_to(bus, waiting=5, batch=4) as events:
        for _ in range(1000):
            events.tell(call("Guess", "CREDENTIAL_INVALID", principal=""), refused=True)
        events.tell(call("Delete"), refused=False)
        bus.answers.set()
        await eventually(lambda: len(bus.log) == 7)
    # It is in the first batch, not behind them all.
    assert "Delete" in bus.methods()[:3]
    assert bus.kinds().count("audit.credential_rejected") == 5


@pytest.mark.requirement("R-OP5")
async def test_what_the_bus_never_takes_does_not_hold_up_what_comes_later() -> None:
    bus = Bus()
    bus.fails = DomainError(Reason.REQUEST_INVALID, "The event is wrong.")
    async with events_to(bus) as events:
        events.tell(call("First"), refused=False)
        await eventually(lambda: events.statistics().dropped == 1)
        bus.fails = None
        events.tell(call("Second"), refused=False)
        await eventually(lambda: len(bus.log) == 1)
    assert bus.methods() == ["Second"]


@pytest.mark.requirement("R-OP5")
async def test_the_end_tells_what_waits_and_does_not_wait_for_a_bus_that_is_away() -> None:
    bus = Bus()
    async with events_to(bus, per_s=0.001) as events:
        events.tell(call("First"), refused=False)
        await eventually(lambda: len(bus.log) == 1)
        events.tell(call("Last"), refused=False)
    assert bus.methods() == ["First", "Last"]
    bus.fails = RuntimeError("gone")
    async with events_to(bus) as events:
        events.tell(call("Lost"), refused=False)
    assert events.statistics().waiting == 1


@pytest.mark.requirement("R-OP5")
def test_calls_that_change_something_are_told_but_for_those_that_come_by_the_thousand() -> None:
    told, untold = set[str](), set[str]()
    for method in all_methods():
        rule = rule_of(method.containing_service.full_name, method.name)
        assert rule is not None
        (told if is_action(rule.scope) else untold).add(rule.scope)
    assert {"admin", "library.write", "library.faces.write", "review.write", "batch.write"} <= told
    assert {"jobs.write", "capture.create", "subjects.erase"} <= told
    assert {scope for scope in untold if not scope.endswith(".read")} == {
        "events.publish",
        "capture.session",
        "batch.work",
    }
