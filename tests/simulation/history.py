"""A history: a seed draws who publishes, who watches and what goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from simulation.disk import DiskFaults
from simulation.faults import Fault
from simulation.judge import Judgement, judge
from simulation.machine import Machine
from simulation.observed import Observed
from simulation.publisher import KINDS, Publisher, PublisherPlan
from simulation.server import ServerPlan
from simulation.virtual_loop import DeadlockError, RunawayError, VirtualLoop
from simulation.watcher import KindFilter, WatcherPlan, Watching
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.requests import Earliest, Latest, OnExpired, OnOverflow, SinceTime, Start

_START_NS = 1_893_456_000 * 1_000_000_000
_LONGEST_S = 20.0
_PATIENCE_S = 60.0
_LOSS_OF_FILE = 0.12

_STRIKES = (
    Fault.CLEAN_RESTART,
    Fault.KILLED,
    Fault.KILLED_AT_DISK,
    Fault.KILLED_AT_DISK,
    Fault.POWER_CUT,
    Fault.POWER_CUT,
    Fault.DISK_FULL,
    Fault.COMMIT_FAILED,
    Fault.OUTCOME_UNKNOWN,
    Fault.INSERT_FAILED,
    Fault.READ_FAILED,
    Fault.RECORD_CORRUPT,
    Fault.PAGE_UNREADABLE,
    Fault.CLOCK_FORWARD,
    Fault.CLOCK_BACK,
    Fault.CONNECTIONS_CUT,
)
_WINDOWS = {
    Fault.DISK_FULL: DiskFaults(full=True),
    Fault.COMMIT_FAILED: DiskFaults(commit_fails=0.5),
    Fault.OUTCOME_UNKNOWN: DiskFaults(outcome_unknown=0.5),
    Fault.INSERT_FAILED: DiskFaults(insert_fails=0.4),
    Fault.READ_FAILED: DiskFaults(read_fails=0.5),
}


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault at a time."""

    at_s: float
    fault: Fault
    draw: float
    """In [0, 1): whatever the fault needs to know."""


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """All that a seed draws before the history begins."""

    seed: int
    server: ServerPlan
    publishers: tuple[PublisherPlan, ...]
    watchers: tuple[WatcherPlan, ...]
    strikes: tuple[Strike, ...]

    def faults(self) -> set[Fault]:
        """What may strike in this history."""
        found = {strike.fault for strike in self.strikes} | {Fault.LATE}
        for watcher in self.watchers:
            found |= {Fault.WATCHER_CUT} if watcher.cuts else set()
            found |= {Fault.WATCHER_STALLED} if watcher.stalls else set()
            found |= {Fault.WATCHER_SLOW} if watcher.read_pause_s else set()
            found |= {Fault.WATCHER_TWICE} if watcher.doubles else set()
        for publisher in self.publishers:
            found |= {Fault.ANSWER_LOST} if publisher.answer_lost else set()
            found |= {Fault.CALL_CANCELLED} if publisher.gives_up else set()
            found |= {Fault.REPEATED} if publisher.repeats else set()
        return found | ({Fault.RETENTION} if self.server.retention != Retention() else set())


@dataclass(frozen=True, slots=True)
class Outcome:
    """A history that was run."""

    plan: HistoryPlan
    observed: Observed
    judgement: Judgement
    lines: Sequence[str]


def draw(seed: int) -> HistoryPlan:
    """The plan of a seed."""
    rng = random.Random(f"{seed}/plan")
    retention = Retention()
    if rng.random() < 0.4:
        retention = Retention(max_count=rng.randint(4, 15))
    elif rng.random() < 0.2:
        retention = Retention(max_age_s=3.0 + 10 * rng.random())
    publishers = tuple(_draw_publisher(rng, name) for name in ("ana", "ben", "eva")[: rng.randint(1, 3)])
    busy_s = min(_LONGEST_S, 1.0 + max(p.events * p.pause_s for p in publishers) / 4)
    watchers = tuple(_draw_watcher(rng, f"w{number}", busy_s) for number in range(rng.randint(1, 4)))
    watchers = tuple(_draw_watcher(rng, f"w{number}", busy_s) for number in range(rng.randint(1, 4)))
    strikes = [
        Strike(busy_s * rng.random(), rng.choice(_STRIKES), rng.random())
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))
    ]
    strikes += _draw_loss_of_file(random.Random(f"{seed}/file"), busy_s)
    strikes.sort(key=lambda strike: strike.at_s)
    block = rng.choice((4, 16, 64))
    return HistoryPlan(
        seed, ServerPlan(block=block, retention=retention), publishers, watchers, tuple(strikes)
    )


def _draw_loss_of_file(rng: random.Random, busy_s: float) -> list[Strike]:
    """Rare: what comes after it is as in a history that has only begun."""
    if rng.random() >= _LOSS_OF_FILE:
        return []
    return [Strike(busy_s * rng.random(), rng.choice((Fault.LOG_REPLACED, Fault.LOG_RESTORED)), rng.random())]


def _sometimes(rng: random.Random, probability: float) -> float:
    return probability if rng.random() < 0.4 else 0.0


def _draw_publisher(rng: random.Random, name: str) -> PublisherPlan:
    return PublisherPlan(
        name=name,
        events=rng.randint(2, 14),
        counted=rng.random() < 0.4,
        durabilities=rng.choice(
            (tuple(Durability), tuple(Durability), (Durability.WRITTEN,), (Durability.MEMORY,))
        ),
        pause_s=rng.choice((0.05, 1.0, 4.0)),
        answer_lost=_sometimes(rng, 0.2),
        gives_up=_sometimes(rng, 0.3),
        repeats=_sometimes(rng, 0.7),
    )


def _draw_watcher(rng: random.Random, name: str, busy_s: float) -> WatcherPlan:
    since = SinceTime(_START_NS + int(busy_s * rng.random() * 1e9))
    starts: tuple[Start, ...] = (Earliest(), Earliest(), Latest(), since)
    return WatcherPlan(
        name=name,
        joins_s=rng.choice((0.0, 0.0, busy_s * rng.random())),
        start=rng.choice(starts),
        on_expired=rng.choice((OnExpired.GAP, OnExpired.GAP, OnExpired.FAIL)),
        on_overflow=rng.choice((OnOverflow.PARK, OnOverflow.PARK, OnOverflow.DISCONNECT)),
        filter=KindFilter(rng.choice(KINDS)) if rng.random() < 0.5 else None,
        heartbeat_period_s=rng.choice((1.0, 5.0)),
        read_pause_s=_sometimes(rng, 0.8),
        cuts=_sometimes(rng, 0.6),
        stalls=_sometimes(rng, 0.1),
        doubles=_sometimes(rng, 0.5),
    )


def run(plan: HistoryPlan) -> Outcome:
    """Runs a history and judges it."""
    loop = VirtualLoop(random.Random(f"{plan.seed}/loop"))
    machine = Machine(loop, str(plan.seed), plan.server)
    machine.observed.faults = sorted(fault.name for fault in plan.faults())
    try:
        loop.run(_History(plan, machine).run())
    except (DeadlockError, RunawayError) as error:
        machine.observed.errors.append(f"the history did not end: {type(error).__name__}")
    machine.observed.errors += loop.unhandled
    return Outcome(plan, machine.observed, judge(machine), machine.trace.lines)


class _History:
    def __init__(self, plan: HistoryPlan, machine: Machine) -> None:
        self._plan = plan
        self._machine = machine

    async def run(self) -> None:
        plan, machine = self._plan, self._machine
        await machine.boot()
        publishers = [
            Publisher(publisher, machine, random.Random(f"{plan.seed}/{publisher.name}"))
            for publisher in plan.publishers
        ]
        watchers = [
            Watching(watcher, machine, random.Random(f"{plan.seed}/{watcher.name}"))
            for watcher in plan.watchers
        ]
        machine.observed.counted = {publisher.name for publisher in plan.publishers if publisher.counted}
        watching = [machine.spawn(watcher.run()) for watcher in watchers]
        publishing = [machine.spawn(publisher.run()) for publisher in publishers]
        for strike in plan.strikes:
            await asyncio.sleep(max(0.0, strike.at_s - machine.loop.time()))
            await self._strike(strike)
        machine.calm()
        await self._running()
        await self._within(publishing, "publishers did not end")
        await self._catch_up(watchers, watching)

    async def _catch_up(self, watchers: Sequence[Watching], watching: Sequence[asyncio.Task[None]]) -> None:
        """All is well again: everybody must be told everything, without anything new that would wake them."""
        machine = self._machine
        await asyncio.sleep(3.0)  # the writer settles what was in doubt with its next tick
        await self._running()
        target = machine.server.newest
        machine.trace.note(f"machine: all is well; the log ends at {target}")
        for watcher in watchers:
            watcher.finish_at(target)
        await self._within(watching, "")
        for watcher in watchers:
            if watcher.caught_up:
                await watcher.probe(target)
            machine.observed.watchers.append(watcher.record())
        await machine.stop()

    async def _within(self, tasks: Sequence[asyncio.Task[None]], problem: str) -> None:
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=_PATIENCE_S)
        if late and problem:
            self._machine.observed.errors.append(problem)
        for task in late:
            task.cancel()
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                self._machine.observed.errors.append(f"a task raised {task.exception()!r}")

    async def _running(self) -> None:
        """Brings a server up where none is."""
        if not self._machine.up:
            await self._machine.boot()

    async def _strike(self, strike: Strike) -> None:
        machine = self._machine
        machine.trace.note(f"fault: {strike.fault.name}")
        machine.observed.struck.append(strike.fault.name)
        window = _WINDOWS.get(strike.fault)
        if window is not None:
            machine.disk.faults = replace(window)
            await asyncio.sleep(0.1 + 3 * strike.draw)
            machine.disk.faults = DiskFaults()
        elif strike.fault in _ACTIONS:
            await self._running()
            _ACTIONS[strike.fault](machine, strike.draw)
        else:
            await self._end_server(strike)

    async def _end_server(self, strike: Strike) -> None:
        machine = self._machine
        await self._running()
        match strike.fault:
            case Fault.CLEAN_RESTART:
                await machine.stop()
            case Fault.KILLED:
                machine.kill()
            case Fault.POWER_CUT:
                machine.cut_power()
            case Fault.LOG_REPLACED:
                await machine.replace_log()
            case Fault.LOG_RESTORED:
                await machine.restore_log(strike.draw)
            case Fault.KILLED_AT_DISK:
                machine.server.kill_after_steps = 1 + int(strike.draw * 12)
                await asyncio.sleep(2.0)
            case _:
                raise AssertionError(strike.fault)
        await asyncio.sleep(2 * strike.draw**2)
        await self._running()


def _corrupt(machine: Machine, draw_: float) -> None:
    offsets = machine.disk.offsets()
    if offsets:
        machine.disk.corrupt.add(offsets[int(draw_ * len(offsets))])


def _make_unreadable(machine: Machine, draw_: float) -> None:
    offsets = machine.disk.offsets()
    if offsets:
        first = int(draw_ * len(offsets))
        machine.disk.unreadable.update(offsets[first : first + 3])


_ACTIONS: dict[Fault, Callable[[Machine, float], None]] = {
    Fault.RECORD_CORRUPT: _corrupt,
    Fault.PAGE_UNREADABLE: _make_unreadable,
    Fault.CLOCK_FORWARD: lambda machine, drawn: machine.clock.jump(3600 * drawn),
    Fault.CLOCK_BACK: lambda machine, drawn: machine.clock.jump(-3600 * drawn),
    Fault.CONNECTIONS_CUT: lambda machine, _: machine.cut_connections(),
}
