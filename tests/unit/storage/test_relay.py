"""From the outbox to a bus that is away, slow, deaf or choosy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from structlog.testing import capture_logs

from eventually import eventually
from fakes.inference import TurnableClock
from fakes.postgres import Home
from fakes.storage import FakeBus, add, event, outbox_in
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox
from vidence_server.storage.relay import Relay, RelaySettings

QUICK = RelaySettings(first_delay_s=0.001, max_delay_s=0.002, last_s=0)


def relay_of(outbox: Outbox, bus: FakeBus, settings: RelaySettings = QUICK) -> Relay:
    return Relay(outbox, bus, clock=TurnableClock(), random=lambda: 0.5, settings=settings)


@asynccontextmanager
async def relaying(
    home: Home, bus: FakeBus, settings: RelaySettings = QUICK
) -> AsyncIterator[tuple[Database, Outbox, Relay]]:
    async with outbox_in(home) as (database, outbox), relay_of(outbox, bus, settings) as relay:
        yield database, outbox, relay


def delivered(relay: Relay) -> bool:
    statistics = relay.statistics()
    return statistics.leading and statistics.waiting == 0


@pytest.mark.requirement("R-EV5")
async def test_a_committed_event_reaches_the_bus_once_and_at_once(home: Home) -> None:
    bus = FakeBus()
    async with relaying(home, bus) as (database, outbox, relay):
        await add(database, outbox, event(1))
        await eventually(lambda: delivered(relay))
        assert bus.calls == [["event-1"]]
        assert relay.statistics().relayed == 1
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as transaction:
                await outbox.add(transaction, event(2))
                raise ZeroDivisionError
        await add(database, outbox, event(3))
        await eventually(lambda: delivered(relay))
    assert bus.log == [event(1), event(3)]


@pytest.mark.requirement("R-EV6")
async def test_a_service_goes_on_while_the_bus_is_away_and_catches_up_in_order(home: Home) -> None:
    bus = FakeBus(away=True)
    async with relaying(home, bus) as (database, outbox, relay):
        for number in range(10):
            await add(database, outbox, event(number))
        await eventually(lambda: relay.statistics().failures >= 3 and relay.statistics().waiting == 10)
        bus.away = False
        await eventually(lambda: delivered(relay))
    assert bus.ids == [f"event-{number}" for number in range(10)]


@pytest.mark.requirement("R-EV6")
async def test_the_bus_comes_back_to_another_process(home: Home) -> None:
    bus = FakeBus(away=True)
    async with relaying(home, bus) as (database, outbox, relay):
        await add(database, outbox, event(1), event(2))
        await eventually(lambda: relay.statistics().failures >= 1)
    bus.away = False
    async with relaying(home, bus) as (_, _, relay):
        await eventually(lambda: delivered(relay))
    assert bus.ids == ["event-1", "event-2"]


@pytest.mark.requirement("R-EV5")
async def test_a_crash_between_acknowledgement_and_removal_repeats_the_same_identity(home: Home) -> None:
    bus = FakeBus()
    bus.answering.clear()
    async with relaying(home, bus) as (database, outbox, _):
        await add(database, outbox, event(1))
        await bus.taken.wait()
    bus.answering.set()
    async with relaying(home, bus) as (_, _, relay):
        await eventually(lambda: delivered(relay))
    assert bus.calls == [["event-1"], ["event-1"]]
    assert bus.ids == ["event-1"]


@pytest.mark.requirement("R-EV5")
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_fails_every_event_arrives_once_and_in_order(home: Home, seed: int) -> None:
    random = Random(seed)
    bus = FakeBus()
    kinds = [
        DomainError(Reason.NOT_READY, "away"),
        DomainError(Reason.QUEUE_FULL, "full", retry_after_s=0.001),
        OSError("broken pipe"),
    ]
    added = 0
    while added < 40:
        async with relaying(home, bus, RelaySettings(8, 50, 0.001, 0.001, 0)) as (
            database,
            outbox,
            relay,
        ):
            for _ in range(random.randint(1, 6)):
                bus.failures += random.choices(kinds, k=random.randint(0, 2))
                bus.lost_answers += random.random() < 0.3
                count = random.randint(1, 9)
                await add(database, outbox, *(event(added + more) for more in range(count)))
                added += count
            if random.random() < 0.5:
                await eventually(lambda relay=relay: delivered(relay))  # type: ignore[misc]  # mypy cannot infer it
    async with relaying(home, bus) as (_, _, relay):
        await eventually(lambda: delivered(relay))
    assert bus.ids == [f"event-{number}" for number in range(added)]


@pytest.mark.requirement("R-EV6")
@pytest.mark.parametrize("poisoned", [{0}, {3}, {6}, {2, 3, 5}, set(range(7))])
async def test_an_event_that_the_bus_never_takes_is_set_aside_and_the_others_go_on(
    home: Home, poisoned: set[int]
) -> None:
    bad = {f"event-{number}" for number in poisoned}
    bus = FakeBus(refused=lambda event: event.event_id in bad)
    with capture_logs() as logs:
        async with outbox_in(home) as (database, outbox):
            await add(database, outbox, *(event(number) for number in range(7)))
            async with relay_of(outbox, bus) as relay:
                await eventually(lambda: delivered(relay) and relay.statistics().refused == len(poisoned))
            assert await outbox.refused() == [
                (f"vidence/test event-{number}", "EVENT_TOO_LARGE") for number in sorted(poisoned)
            ]
    assert bus.ids == [f"event-{number}" for number in range(7) if number not in poisoned]
    told = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["reason"] for entry in told] == ["EVENT_TOO_LARGE"] * len(poisoned)
    assert "xxxxx" not in str(logs)


async def test_the_bus_is_asked_less_and_less_often_and_never_before_it_asked_for(home: Home) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep
    bus = FakeBus(failures=[DomainError(Reason.NOT_READY, "away") for _ in range(6)])
    bus.failures.append(DomainError(Reason.DRAINING, "later", retry_after_s=3))

    async def noted_sleep(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    settings = RelaySettings(first_delay_s=0.2, max_delay_s=5, last_s=0)
    with pytest.MonkeyPatch.context() as patch:
        async with relaying(home, bus, settings) as (database, outbox, relay):
            await eventually(lambda: relay.statistics().leading)  # until then nobody counts what waits
            patch.setattr("vidence_server.storage.relay.asyncio.sleep", noted_sleep)
            await add(database, outbox, event(1))
            async with asyncio.timeout(60):
                await outbox.wait_empty()
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5])
    assert relay.statistics().failures == 7


async def test_an_outage_is_logged_once_per_reason_and_its_end_too(home: Home) -> None:
    reasons = [Reason.NOT_READY, Reason.NOT_READY, Reason.QUEUE_FULL, Reason.QUEUE_FULL]
    bus = FakeBus(failures=[DomainError(reason, "away") for reason in reasons])
    with capture_logs() as logs:
        async with relaying(home, bus) as (database, outbox, relay):
            await add(database, outbox, event(1))
            await eventually(lambda: any(entry["event"] == "events flow again" for entry in logs))
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("events wait", "NOT_READY"),
        ("events wait", "QUEUE_FULL"),
        ("events flow again", None),
    ]
    assert relay.statistics().failures == 4


async def test_statistics_tell_what_waits_and_for_how_long(home: Home) -> None:
    clock = TurnableClock()
    bus = FakeBus(away=True)
    async with outbox_in(home) as (database, outbox):
        relay = Relay(outbox, bus, clock=clock, random=lambda: 0.5, settings=QUICK)
        async with relay:
            await add(database, outbox, event(1, created=clock.now()), event(2, created=clock.now()))
            clock.advance(7)
            await add(database, outbox, event(3, created=clock.now()))
            await eventually(lambda: relay.statistics().waiting == 3)
            assert relay.statistics().oldest_age_s == 7
            bus.away = False
            await eventually(lambda: delivered(relay))
            assert (relay.statistics().relayed, relay.statistics().oldest_age_s) == (3, 0)


async def test_the_end_brings_what_still_waits_where_the_bus_is_there(home: Home) -> None:
    bus = FakeBus()
    async with relaying(home, bus, RelaySettings(last_s=20)) as (database, outbox, relay):
        await eventually(lambda: delivered(relay))
        await add(database, outbox, *(event(number) for number in range(300)))
    assert len(bus.log) == 300
    assert relay.statistics().waiting == 0


async def test_the_end_does_not_wait_for_a_bus_that_is_away(home: Home) -> None:
    bus = FakeBus(away=True)
    settings = RelaySettings(first_delay_s=1000, max_delay_s=1000, last_s=1000)
    async with relaying(home, bus, settings) as (database, outbox, relay):
        await add(database, outbox, event(1))
        await eventually(lambda: relay.statistics().failures == 1)
    async with outbox_in(home) as (_, outbox):
        await outbox.open()
        assert outbox.waiting == 1
