from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from fakes.event_bus import SOURCE, event, incoming
from vidence.event.v1 import event_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.event.convert import Codec
from vidence_server.event.domain.event import identity_of
from vidence_server.event.publishing import Published, Publishing
from vidence_server.streams.append import Appended, AppendResult, Draft, Durability, Refused

pytestmark = pytest.mark.requirement("R-EV1")
START = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class HandClock:
    """A clock that a test sets."""

    wall: datetime = START

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.wall.timestamp()


@dataclass
class ScriptedLog:
    """Takes drafts and answers as a test says."""

    drafts: list[Draft] = field(default_factory=list)
    answers: list[AppendResult] = field(default_factory=list)
    error: DomainError | None = None
    calls: list[tuple[Durability, bool]] = field(default_factory=list)

    async def append(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool
    ) -> Sequence[AppendResult]:
        self.calls.append((durability, atomic))
        if self.error is not None:
            raise self.error
        first = len(self.drafts) + 1
        self.drafts += drafts
        return self.answers or [Appended(first + place, repeated=False) for place in range(len(drafts))]


@dataclass
class Bench:
    log: ScriptedLog = field(default_factory=ScriptedLog)
    clock: HandClock = field(default_factory=HandClock)

    def publishing(self, newest_time_ns: int = 0) -> Publishing:
        ids = IdFactory(self.clock, bytes)
        # Only `append` is called.
        log: object = self.log
        return Publishing(log, Codec(), clock=self.clock, ids=ids, newest_time_ns=newest_time_ns)  # type: ignore[arg-type]  # see above


def nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000


async def test_events_get_the_time_at_which_they_were_taken() -> None:
    bench = Bench()
    await bench.publishing().publish(incoming(event("1"), event("2")), Durability.MEMORY, atomic=True)
    assert [draft.time_ns for draft in bench.log.drafts] == [nanoseconds(START)] * 2
    stored = event_pb2.Event.FromString(bench.log.drafts[0].body)
    assert stored.emit_time.ToDatetime(UTC) == START
    assert bench.log.calls == [(Durability.MEMORY, True)]


async def test_the_time_never_falls_when_the_clock_does() -> None:
    bench = Bench()
    publishing = bench.publishing(newest_time_ns=nanoseconds(START + timedelta(hours=1)))
    for minutes in (0, 90, 30):
        bench.clock.wall = START + timedelta(minutes=minutes)
        await publishing.publish(incoming(event()), Durability.WRITTEN, atomic=True)
    after = [timedelta(hours=1), timedelta(minutes=90), timedelta(minutes=90)]
    assert [draft.time_ns for draft in bench.log.drafts] == [nanoseconds(START + each) for each in after]


async def test_an_event_without_an_id_gets_one() -> None:
    bench = Bench()
    (outcome,) = await bench.publishing().publish(incoming(event()), Durability.WRITTEN, atomic=True)
    assert outcome.event_id.startswith("evt_")
    (draft,) = bench.log.drafts
    assert event_pb2.Event.FromString(draft.body).id == outcome.event_id
    assert draft.identity == identity_of(SOURCE, outcome.event_id)


async def test_a_draft_says_whose_count_it_is() -> None:
    bench = Bench()
    await bench.publishing().publish(incoming(event("1", sequence=4)), Durability.WRITTEN, atomic=True)
    assert (bench.log.drafts[0].publisher, bench.log.drafts[0].sequence) == (SOURCE, 4)


def test_identities_differ_wherever_source_or_id_do() -> None:
    assert identity_of("a\nb", "c") != identity_of("a", "b\nc")


def too_large() -> event_pb2.Event:
    return event("large", opaque=event_pb2.OpaqueData(content_type="a/b", content=bytes(64_000)))


async def test_a_refused_event_does_not_stop_the_others() -> None:
    bench = Bench()
    bench.log.answers = [Appended(1, repeated=True), Appended(2, repeated=False)]
    publishing = bench.publishing()
    events = incoming(event("1"), too_large(), event("2"), event("3", type=""))
    outcomes = await publishing.publish(events, Durability.WRITTEN, atomic=False)
    assert [outcome.error and outcome.error.reason for outcome in outcomes] == [
        None,
        Reason.EVENT_TOO_LARGE,
        None,
        Reason.REQUEST_INVALID,
    ]
    assert outcomes[0] == Published("1", 1, True, None)
    assert outcomes[2] == Published("2", 2, False, None)
    statistics = publishing.statistics()
    assert (statistics.published, statistics.repeated, statistics.pending) == (1, 1, 0)
    assert statistics.errors == {"EVENT_TOO_LARGE": 1, "REQUEST_INVALID": 1}


async def test_an_event_of_exactly_the_limit_is_taken() -> None:
    content = 64_000 - len(too_large().SerializeToString()) + 64_000
    fits = event("large", opaque=event_pb2.OpaqueData(content_type="a/b", content=bytes(content)))
    assert fits.ByteSize() == 64_000
    bench = Bench()
    await bench.publishing().publish(incoming(fits), Durability.WRITTEN, atomic=True)
    assert len(bench.log.drafts) == 1


async def test_of_an_atomic_call_one_refused_event_refuses_all() -> None:
    bench = Bench()
    publishing = bench.publishing()
    with pytest.raises(DomainError) as caught:
        await publishing.publish(incoming(event("1"), too_large()), Durability.WRITTEN, atomic=True)
    assert caught.value.reason is Reason.EVENT_TOO_LARGE
    assert caught.value.metadata["limit"] == "64000"
    assert not bench.log.drafts
    assert publishing.statistics().errors == {"EVENT_TOO_LARGE": 2}


@pytest.mark.parametrize("atomic", [True, False])
async def test_a_count_that_does_not_go_on_is_told_with_what_was_expected(atomic: bool) -> None:
    bench = Bench()
    bench.log.answers = [Refused(expected=42, actual=44)]
    events = incoming(event("1", sequence=44))
    try:
        (outcome,) = await bench.publishing().publish(events, Durability.WRITTEN, atomic=atomic)
        error = outcome.error
    except DomainError as raised:
        error = raised
    assert error is not None
    assert error.reason is Reason.SEQUENCE_MISMATCH
    assert error.metadata == {"expected": "42", "actual": "44"}


async def test_a_failure_of_the_log_is_the_result_of_each_event() -> None:
    bench = Bench()
    bench.log.error = DomainError(Reason.STORAGE_FULL, "Full.", retry_after_s=1)
    publishing = bench.publishing()
    outcomes = await publishing.publish(incoming(event("1"), event("2")), Durability.WRITTEN, atomic=False)
    assert [outcome.error for outcome in outcomes] == [bench.log.error] * 2
    assert publishing.statistics().storage_failing
    bench.log.error = None
    await publishing.publish(incoming(event("1")), Durability.WRITTEN, atomic=False)
    assert not publishing.statistics().storage_failing
