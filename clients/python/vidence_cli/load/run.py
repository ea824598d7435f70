"""A load: many subscribers on connections of their own, watched for a while."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import grpc

from vidence.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc, event_statistics_pb2
from vidence_cli.load.latency import LatencyHistogram
from vidence_cli.load.publishing import Published, publish_steadily
from vidence_cli.load.subscriber import LoadSubscriber, Seen
from vidence_cli.load.usage import ReadUsage, UsageSample, UsageUnknown
from vidence_cli.wire import SUBSCRIBE, WireStream, open_connection
from vidence_client import VidenceError

_CONNECTS_PER_S = 500.0
_CONNECT_TIMEOUT_S = 30.0
_LAST_DELIVERIES_S = 5.0
_CALL_TIMEOUT_S = 10.0
_SAMPLE_PERIOD_S = 1.0
_ATTEMPTS = 20
_ATTEMPT_S = 0.05
"""Between two looks at the server's count, which no message announces."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load does.

    Attributes:
        address: The server.
        subscribers: How many subscriptions, each on a connection of its own.
        duration_s: How long to watch once all are connected, s.
        publish_rate: Events per second published meanwhile; 0: none.
        heartbeat_period_s: Asked of the server, s.
        read_usage: Tells what the server uses; None: unknown.
    """

    address: str
    subscribers: int
    duration_s: float
    publish_rate: float = 0.0
    heartbeat_period_s: float = 1.0
    read_usage: ReadUsage | None = None


@dataclass(slots=True)
class LoadOutcome:
    """What became of a load."""

    plan: LoadPlan
    seen: list[Seen] = field(default_factory=list)
    connecting_s: float = 0.0
    published: Published = field(default_factory=Published)
    latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    samples: list[UsageSample] = field(default_factory=list)
    usage_problem: str = ""
    before: event_statistics_pb2.Statistics = field(default_factory=event_statistics_pb2.Statistics)
    during: event_statistics_pb2.Statistics = field(default_factory=event_statistics_pb2.Statistics)


class LoadRun:
    """Runs one plan.

    Args:
        plan: What to do.
        randomness: Spreads the connecting.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        plan: LoadPlan,
        *,
        randomness: random.Random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._randomness = randomness
        self._monotonic = monotonic
        self._source = f"vidence/load/{uuid.uuid4().hex}"
        self._waiting = plan.subscribers
        self._all_connected = asyncio.Event()
        self._outcome = LoadOutcome(plan)

    async def run(self) -> LoadOutcome:
        """Connects, watches, counts.

        Raises:
            VidenceError: The server answers no statistics; `ServerUnreachable`: it does not answer at all.
        """
        async with open_connection(self._plan.address) as channel:
            self._outcome.before = await _statistics(channel)
            subscribers = [self._subscriber() for _ in range(self._plan.subscribers)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._subscribe(subscriber)) for subscriber in subscribers]
                await self._connect()
                await self._watch(channel)
                await self._await_last(subscribers)
                self._outcome.during = await self._agreed(channel, subscribers)
                for task in tasks:
                    task.cancel()
        self._outcome.seen = [subscriber.seen for subscriber in subscribers]
        return self._outcome

    async def _agreed(
        self, channel: grpc.aio.Channel, subscribers: Sequence[LoadSubscriber]
    ) -> event_statistics_pb2.Statistics:
        """The statistics, as soon as they count everything that has arrived, or after some attempts.

        What arrives while the server answers is in the next answer only.
        """
        numbers = await _statistics(channel)
        for _ in range(_ATTEMPTS):
            if self._counts_all(numbers, subscribers):
                break
            await asyncio.sleep(_ATTEMPT_S)
            numbers = await _statistics(channel)
        return numbers

    def _counts_all(
        self, numbers: event_statistics_pb2.Statistics, subscribers: Sequence[LoadSubscriber]
    ) -> bool:
        before, seen = self._outcome.before, [subscriber.seen for subscriber in subscribers]
        heartbeats = numbers.total_heartbeats - before.total_heartbeats
        delivered = numbers.total_delivered - before.total_delivered
        return heartbeats >= sum(one.heartbeats for one in seen) and delivered >= sum(
            one.events for one in seen
        )

    def _subscriber(self) -> LoadSubscriber:
        return LoadSubscriber(
            monotonic=self._monotonic, latencies=self._outcome.latencies, on_connected=self._one_connected
        )

    def _one_connected(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._all_connected.set()

    async def _subscribe(self, subscriber: LoadSubscriber) -> None:
        await asyncio.sleep(self._randomness.random() * self._plan.subscribers / _CONNECTS_PER_S)
        wanted = event_pb2.EventFilter(sources=[self._source])
        request = event_service_pb2.SubscribeRequest(filter=wanted)
        request.heartbeat_period.FromNanoseconds(round(self._plan.heartbeat_period_s * 1e9))
        async with open_connection(self._plan.address) as channel:
            stream = WireStream(channel, SUBSCRIBE, request)
            try:
                await subscriber.read(stream)
            finally:
                stream.cancel()
        if not subscriber.seen.connected:
            self._one_connected()  # it never will be: nobody need wait for it

    async def _connect(self) -> None:
        """Waits until every subscriber is connected or has failed."""
        began_s = self._monotonic()
        ramp_s = self._plan.subscribers / _CONNECTS_PER_S
        with suppress(TimeoutError):  # who is missing is counted at the end
            async with asyncio.timeout(ramp_s + _CONNECT_TIMEOUT_S):
                await self._all_connected.wait()
        self._outcome.connecting_s = self._monotonic() - began_s

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        """Publishes and takes samples for the time of the plan."""
        until_s = self._monotonic() + self._plan.duration_s
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sample(until_s))
            if self._plan.publish_rate:
                publishing = publish_steadily(
                    channel,
                    self._outcome.published,
                    source=self._source,
                    per_second=self._plan.publish_rate,
                    until_s=until_s,
                    monotonic=self._monotonic,
                )
                group.create_task(publishing)

    async def _sample(self, until_s: float) -> None:
        while True:
            await self._sample_once()
            remaining_s = until_s - self._monotonic()
            if remaining_s <= 0:
                return
            await asyncio.sleep(min(_SAMPLE_PERIOD_S, remaining_s))

    async def _sample_once(self) -> None:
        if self._plan.read_usage is None:
            return
        try:
            self._outcome.samples.append(await asyncio.to_thread(self._plan.read_usage))
        except UsageUnknown as error:
            self._outcome.usage_problem = str(error)

    async def _await_last(self, subscribers: list[LoadSubscriber]) -> None:
        """Gives the last events their time to arrive."""
        for subscriber in subscribers:
            subscriber.aim_at(self._outcome.published.last_number)
        with suppress(TimeoutError):  # what is missing is counted at the end
            async with asyncio.timeout(_LAST_DELIVERIES_S):
                for subscriber in subscribers:
                    await subscriber.reached.wait()


async def _statistics(channel: grpc.aio.Channel) -> event_statistics_pb2.Statistics:
    stub = event_service_pb2_grpc.EventServiceStub(channel)
    try:
        answer = await stub.GetStatistics(event_service_pb2.GetStatisticsRequest(), timeout=_CALL_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        raise VidenceError.from_rpc_error(error) from None
    return answer.statistics
