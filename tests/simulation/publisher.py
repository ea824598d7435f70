"""A publisher that sends its events in order, again and again until it is told what became of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from simulation.machine import Machine, ServerGoneError
from simulation.observed import Ack
from vidence.event.v1.event_pb2 import Event
from vidence_server.core.errors import DomainError
from vidence_server.streams.append import Appended, Draft, Durability, Refused

KINDS = ("page.read", "page.failed", "person.seen")


@dataclass(frozen=True, slots=True)
class PublisherPlan:
    """How one publisher behaves."""

    name: str
    events: int
    counted: bool
    """It numbers its events, and the server checks that."""
    durabilities: tuple[Durability, ...]
    """What it asks for, one of these for each call."""
    pause_s: float
    """Longest pause between two calls."""
    answer_lost: float
    """Probability that the answer to a call does not arrive."""
    gives_up: float
    """Probability that it cancels a call and repeats it."""
    repeats: float
    """Probability that it publishes an old event again, as a job that was restarted does."""


class Publisher:
    """Publishes through whichever server runs."""

    def __init__(self, plan: PublisherPlan, machine: Machine, rng: random.Random) -> None:
        self._plan = plan
        self._machine = machine
        self._rng = rng
        self._next = 0
        self.done = False

    async def run(self) -> None:
        """Publishes all events of the plan."""
        while self._next < self._plan.events:
            await asyncio.sleep(self._plan.pause_s * self._rng.random() ** 2)
            first = self._next
            count = min(self._rng.choice((1, 1, 2, 5)), self._plan.events - first)
            await self._send(range(first, first + count), self._durability())
            if first and self._rng.random() < self._plan.repeats:
                again = self._rng.choice((self._durability(), Durability.SYNCED))
                await self._send([self._rng.randrange(first)], again, again=True)
        self.done = True

    def _durability(self) -> Durability:
        return self._rng.choice(self._plan.durabilities)

    async def _send(self, numbers: Sequence[int], durability: Durability, *, again: bool = False) -> None:
        """Sends some events until there is an answer; moves on behind them, or back to where the log is."""
        pause_s = 0.1
        atomic = self._plan.counted or self._rng.random() < 0.5
        while True:
            try:
                results = await self._call(numbers, durability, atomic=atomic)
            except (ServerGoneError, DomainError) as error:
                reason = error.reason if isinstance(error, DomainError) else "gone"
                self._machine.trace.note(f"{self._plan.name}: no answer ({reason})")
                await asyncio.sleep(pause_s * (0.5 + self._rng.random()))
                pause_s = min(2.0, pause_s * 2)
                continue
            refused = next((result for result in results if isinstance(result, Refused)), None)
            if not again:
                # A count that the log no longer has: events that lived in memory only. They are sent again.
                self._next = refused.expected - 1 if refused is not None else numbers[-1] + 1
            return

    async def _call(
        self, numbers: Sequence[int], durability: Durability, *, atomic: bool
    ) -> Sequence[Appended | Refused]:
        drafts = [self._draft(number) for number in numbers]
        machine, name = self._machine, self._plan.name
        for draft in drafts:
            identity = str(draft.identity)
            wanted = machine.observed.wanted.get(identity, durability)
            machine.observed.wanted[identity] = min(wanted, durability)
        machine.trace.note(f"{name}: publish {numbers[0]}+{len(numbers)} {durability.name}")
        patience_s = 0.05 * self._rng.random() if self._rng.random() < self._plan.gives_up else None
        life, results = await machine.publish(drafts, durability, atomic=atomic, patience_s=patience_s)
        if self._rng.random() < self._plan.answer_lost:
            raise ServerGoneError
        for draft, result in zip(drafts, results, strict=True):
            if isinstance(result, Appended):
                ack = Ack(str(draft.identity), result.offset, durability, life)
                machine.observed.acks.append(ack)
        machine.trace.note(f"{name}: answer {[tuple(result) for result in results]}")
        return results

    def _draft(self, number: int) -> Draft:
        kind = KINDS[(number * 7 + len(self._plan.name)) % len(KINDS)]
        event = Event(source=self._plan.name, id=str(number), type=kind)
        return Draft(
            body=event.SerializeToString(),
            time_ns=0,
            key=kind,
            identity=f"{self._plan.name}\n{number}",
            publisher=self._plan.name,
            sequence=number + 1 if self._plan.counted else 0,
        )
