"""One life of the server process: durable log and broadcast, wired as the event service does it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulation.disk_store import DiskStore
from simulation.machine_threads import MachineThreads, ProcessKilled
from simulation.observed import Told
from simulation.wire import Wire, WireCutError
from vidence.event.v1.event_pb2 import Event
from vidence.event.v1.event_service_pb2 import SubscribeResponse
from vidence_client.conformance import Gap as ToldGap
from vidence_client.conformance import Kind, Message, WatchedEvent
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.retention import Retention
from vidence_server.streams.durable.writer import LogWriter, WriterSettings
from vidence_server.streams.entry import Entry, LogItem
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Frame, Gap, Opening
from vidence_server.streams.requests import SubscriptionRequest
from vidence_server.streams.ring import RingLimits

if TYPE_CHECKING:
    from simulation.machine import Machine

_LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How the server is set up. Everything small, so that every bound is met."""

    ring: RingLimits = field(default_factory=lambda: RingLimits(max_events=8, max_bytes=2_000))
    block: int = 16
    retention: Retention = field(default_factory=Retention)
    max_group_events: int = 6
    max_pending_events: int = 30


class Server:
    """One process."""

    def __init__(self, machine: Machine, life: int, rng: random.Random) -> None:
        self.life = life
        self.ready = False
        self.epoch = 0
        self.kill_after_steps: int | None = None
        """The process dies at this operation of its disk, counted from now."""
        self._machine = machine
        self._writing = MachineThreads(machine.loop, rng, count=1, longest_s=0.02)
        self._reading = MachineThreads(machine.loop, rng, count=2, longest_s=0.02)
        self._dead: asyncio.Future[None] = machine.loop.create_future()
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()
        self._calls: dict[asyncio.Task[None], Wire] = {}
        self._main = machine.loop.create_task(self._run(), name=f"server {life}")

    @property
    def newest(self) -> int:
        """Offset that everybody must be told up to."""
        return self._log.bounds().newest

    async def started(self) -> bool:
        """Waits until the server is ready; False: it did not start."""
        waiting = self._machine.loop.create_task(self._started.wait(), name="wait for the server")
        await asyncio.wait({waiting, self._main}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return self.ready

    async def stop(self) -> None:
        """Stops cleanly: streams first, then the log."""
        self._machine.trace.note("server: stops")
        self._stopping.set()
        await asyncio.wait({self._main, self._dead}, return_when=asyncio.FIRST_COMPLETED)

    def die(self) -> None:
        """Ends where it is: nothing of it happens any more."""
        self.ready = False
        self._writing.kill()
        self._reading.kill()
        self.cut_connections()
        for call in self._calls:
            call.cancel()
        self._main.cancel()
        if not self._dead.done():
            self._dead.set_result(None)

    def cut_connections(self) -> None:
        """Breaks the connections of all watchers."""
        for call, wire in self._calls.items():
            wire.cut()
            call.cancel()

    async def publish(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool, patience_s: float | None
    ) -> Sequence[AppendResult] | None:
        """Publishes; None: the process died first, or the caller lost patience."""
        call = self._machine.loop.create_task(self._append(drafts, durability, atomic), name="publish")
        waited: set[asyncio.Future[Any]] = {call, self._dead}
        await asyncio.wait(waited, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            call.cancel()
            await asyncio.wait({call})
            return None
        return call.result()

    def watch(self, request: SubscriptionRequest, wire: Wire) -> asyncio.Task[None]:
        """Serves one watcher until one of the two ends it."""
        call = self._machine.loop.create_task(
            self._serve(request, wire), name=f"watch {request.connection_id}"
        )
        self._calls[call] = wire
        call.add_done_callback(lambda done: self._calls.pop(done, None) and None)
        return call

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                self.ready = True
                self._started.set()
                await self._stopping.wait()
                self.ready = False
                await self._drain()
        except DomainError as error:
            self._machine.trace.note(f"server: {error.reason}")
            self._fail_to_stop()
        except ProcessKilled:
            pass

    async def _open(self, stack: AsyncExitStack) -> None:
        machine, plan = self._machine, self._machine.plan
        settings = WriterSettings(
            max_pending_events=plan.max_pending_events,
            max_group_events=plan.max_group_events,
            block=plan.block,
            retention_period_s=2.5,
        )
        writer = await stack.enter_async_context(
            LogWriter(
                lambda: DiskStore(machine.disk, self._step),
                _kind_of,
                settings,
                machine.clock,
                writing=self._writing,
                reading=self._reading,
            )
        )
        self._log: DurableLog = await writer.open_log("default", "bus", plan.retention)
        self.epoch = machine.observed.epochs[self.life] = self._log.epoch
        self._broadcast = await stack.enter_async_context(
            Broadcast(self._log, plan.ring, machine.clock, turns_per_pass=machine.rng.randint(1, 3))
        )
        self._log.attach(self._broadcast_and_note)
        kept = [record.time_ns for log in machine.disk.image.values() for record in log.records.values()]
        self._emit_time_ns = max(kept, default=0)

    async def _drain(self) -> None:
        self._broadcast.end(EndReason.DRAINING)
        calls = set(self._calls)
        if calls:
            await asyncio.wait(calls, timeout=_LAST_WORDS_S)
        self.cut_connections()

    def _fail_to_stop(self) -> None:
        """A store that could not be closed leaves an unclean stop behind: the next start must cope."""
        self.die()

    def _step(self, name: str) -> None:
        """Called by the store before each operation: others run, or the process dies here."""
        if self.kill_after_steps is not None:
            self.kill_after_steps -= 1
            if self.kill_after_steps <= 0:
                self.kill_after_steps = None
                self._machine.trace.note(f"machine: dies at {name}")
                self._machine.loop.call_soon(self.die)
                self._writing.dead = self._reading.dead = True
                raise ProcessKilled
        self._writing.pause()

    async def _append(
        self, drafts: Sequence[Draft], durability: Durability, atomic: bool
    ) -> Sequence[AppendResult]:
        now_ns = max(self._emit_time_ns, self._machine.clock.now_ns())
        self._emit_time_ns = now_ns
        stamped = [draft._replace(time_ns=now_ns) for draft in drafts]
        return await self._log.append(stamped, durability, atomic=atomic)

    def _broadcast_and_note(self, items: Sequence[LogItem]) -> None:
        """What the log hands to its broadcast: looked at before anybody hears it."""
        observed = self._machine.observed
        if self._dead.done():
            return
        for item in items:
            if isinstance(item, Entry):
                identity = _identity(Event.FromString(_body(item)))
                told = Told(item.offset, identity, str(item.key), item.time_ns, self.life)
                observed.told.append(told)
                self._check_durability(told)
        self._machine.trace.note(f"server: broadcasts {[item[0] for item in items]}")
        self._broadcast.extend(items)

    def _check_durability(self, told: Told) -> None:
        wanted = self._machine.observed.wanted[told.identity]
        disk = self._machine.disk
        image = disk.synced_image() if wanted is Durability.SYNCED else disk.image
        kept = any(told.offset in log.records or told.offset <= log.extent.oldest for log in image.values())
        if wanted is not Durability.MEMORY and not kept:
            self._machine.observed.early.append(f"offset {told.offset} before it was {wanted.name}")

    async def _serve(self, request: SubscriptionRequest, wire: Wire) -> None:
        try:
            subscription = await self._broadcast.subscribe(request)
            try:
                await self._write(subscription.next, request, wire)
            finally:
                self._broadcast.close(subscription)
        except DomainError as error:
            wire.end(error.reason, dict(error.metadata))
        except WireCutError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._machine.observed.errors.append(f"a watch stream raised {error!r}")
            wire.end(Reason.INTERNAL)

    async def _write(self, take: Callable[[], object], request: SubscriptionRequest, wire: Wire) -> None:
        loop = self._machine.loop
        while True:
            asked_s = loop.time()
            frame: Frame = await take()  # type: ignore[misc]  # a coroutine function
            waited_s = loop.time() - asked_s
            if waited_s > 1.5 * request.heartbeat_period_s + 1.0:
                text = f"{request.connection_id} heard nothing for {waited_s:.3f} s"
                self._machine.observed.quiet.append(text)
            await wire.write(_message(frame))
            if isinstance(frame, End):
                wire.end("" if frame.reason is not EndReason.TOO_SLOW else Reason.SUBSCRIBER_TOO_SLOW)
                return


def _kind_of(body: bytes) -> object:
    return Event.FromString(body).type


def _identity(event: Event) -> str:
    return f"{event.source}\n{event.id}"


def _body(entry: Entry) -> bytes:
    return SubscribeResponse.FromString(entry.encoded).events[0].SerializeToString()


def _message(frame: Frame) -> Message:
    """The message that a client makes of a frame."""
    match frame:
        case Opening(cursor):
            return Message(Kind.CONNECTED, cursor, "", told_cursor=cursor)
        case Beat(cursor, previous):
            return Message(Kind.HEARTBEAT, cursor, previous, told_cursor=cursor)
        case End(cursor, _):
            return Message(Kind.DISCONNECTED, cursor, cursor, told_cursor=cursor)
        case Gap(cursor, previous, reason, missed):
            return Message(Kind.GAP, cursor, previous, gap=ToldGap(previous, cursor, reason.name, missed))
        case Batch(message, count, _):
            response = SubscribeResponse.FromString(message)
            events = tuple(WatchedEvent(event.cursor, _identity(event)) for event in response.events)
            if len(events) != count:
                raise AssertionError("a batch that counts wrong")
            return Message(Kind.EVENTS, response.cursor, response.previous_cursor, events)
