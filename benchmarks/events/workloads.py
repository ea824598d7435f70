"""What is measured: who subscribes, what is published, how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.events.generator import Load

COUNTS = (1, 100, 1000)
"""Subscribers, each with a connection of its own."""
OPEN_RATES = {1: (10, 100), 100: (10, 100), 1000: (10,)}
"""Events per second by subscribers: 10,000 deliveries per second at most, which the naive server can do."""
STREAM_BATCHES = (1, 10, 100)
MEMORY, WRITTEN, SYNCED = 1, 2, 3
DURABILITIES = {MEMORY: "MEMORY", WRITTEN: "WRITTEN", SYNCED: "SYNCED"}
_WINDOW = 100
_BATCH = 50
"""Events of a message in a closed loop: half a window, so that one message is under way while one is made."""
SMALL_BATCH = 10
_MESSAGES_IN_WORK = 64
"""Of one call, by the contract of PublishStream."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long everything takes."""

    seconds: float = 3.0
    """Of publishing in one run."""
    seed_s: float = 20.0
    """Of 100 clients at one event per second: several periods of who polls."""
    counts: tuple[int, ...] = COUNTS
    events: int = 200_000
    """For the publisher of the SDK and for the log."""


def idle(count: int) -> str:
    """The name of the run that only connects."""
    return f"idle, {count}"


def steady(count: int, rate: int) -> str:
    """The name of an open loop: events come by the clock."""
    return f"{rate} events/s, {count}"


def saturated(count: int, batch: int = _BATCH) -> str:
    """The name of a closed loop: the mean subscriber is never further behind than a window."""
    return f"saturated, {count}" if batch == _BATCH else f"saturated by {batch} a message, {count}"


def fan_out(sizes: Sizes) -> Mapping[str, Load]:
    """From one publisher to many subscribers, by name; the idle one comes first, on fresh servers."""
    most = max(sizes.counts)
    loads = {idle(most): Load(connections=most, publish=False, seconds=0)}
    for count in sizes.counts:
        for rate in OPEN_RATES[count]:
            loads[steady(count, rate)] = Load(connections=count, rate=rate, seconds=sizes.seconds)
        loads[saturated(count)] = Load(connections=count, batch=_BATCH, window=_WINDOW, seconds=sizes.seconds)
    loads[saturated(most, SMALL_BATCH)] = Load(
        connections=most, batch=SMALL_BATCH, window=_WINDOW, seconds=sizes.seconds
    )
    return loads


def unary(at_once: int) -> str:
    """The name of publishing by one call per event."""
    return f"unary, {at_once} at once"


def streamed(batch: int, durability: int = WRITTEN) -> str:
    """The name of publishing by PublishStream."""
    return f"stream, {batch} a message, {DURABILITIES[durability]}"


PUB = "PUB / PUBLISH"


def publishing(sizes: Sizes, *, durable: bool, messages: bool) -> Mapping[str, Load]:
    """From one publisher to nobody, by name.

    Args:
        sizes: How long it takes.
        durable: Whether the server knows levels of durability.
        messages: Whether the protocol has messages of several events and unary calls.
    """
    if not messages:
        return {PUB: Load(batch=10, window=1000, seconds=sizes.seconds)}
    loads = {
        unary(at_once): Load(unary=True, window=at_once, seconds=sizes.seconds)
        for at_once in (1, _MESSAGES_IN_WORK)
    }
    for batch in STREAM_BATCHES:
        loads[streamed(batch)] = Load(batch=batch, window=batch * _MESSAGES_IN_WORK, seconds=sizes.seconds)
    for durability in (MEMORY, SYNCED) if durable else ():
        for batch in (10, 100):
            loads[streamed(batch, durability)] = Load(
                batch=batch,
                window=batch * _MESSAGES_IN_WORK,
                durability=durability,
                seconds=sizes.seconds,
            )
    return loads


SUBSCRIBED, POLLED = "Subscribe", "ListEvents every 5 s"
SEED_CLIENTS = 100


def seed(sizes: Sizes) -> Mapping[str, Load]:
    """100 clients and one event per second: told by the bus, or asking for a page of 50 every 5 seconds."""
    subscribing = Load(connections=SEED_CLIENTS, rate=1.0, seconds=sizes.seed_s)
    return {SUBSCRIBED: subscribing, POLLED: replace(subscribing, poll_s=5.0)}
