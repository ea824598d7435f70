"""The machine of a history: its disk, clock and server process, and ways to harm them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from simulation.disk import Disk, DiskFaults
from simulation.observed import Observed, Trace
from simulation.server import Server, ServerPlan
from simulation.virtual_clock import VirtualClock
from simulation.virtual_loop import VirtualLoop
from simulation.wire import Wire
from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.requests import SubscriptionRequest

T = TypeVar("T")
_BOOT_S = 0.3
_HANG_UP_S = 0.5


class ServerGoneError(Exception):
    """No server answers: it is not there, it died before it answered, or the answer was lost."""


@dataclass(slots=True)
class Line:
    """One call of a watch RPC, as the client holds it."""

    wire: Wire
    machine: Machine
    call: asyncio.Task[None]

    def hang_up(self) -> None:
        """The client leaves, or the network between breaks; the server learns it a little later."""
        self.wire.cut()
        delay_s = _HANG_UP_S * self.machine.rng.random()
        self.machine.loop.call_later(delay_s, self.call.cancel)


class Machine:
    """Everything between publishers and watchers."""

    def __init__(self, loop: VirtualLoop, seed: str, plan: ServerPlan) -> None:
        self.loop = loop
        self.plan = plan
        self.rng = random.Random(f"{seed}/network")
        self.trace = Trace(loop)
        self.observed = Observed()
        self.clock = VirtualClock(loop)
        self.disk = Disk(random.Random(f"{seed}/disk"), self.trace.note)
        self.epoch = 0
        self._threads_rng = random.Random(f"{seed}/threads")
        self._server: Server | None = None
        self._lives: list[Server] = []  # kept: what a dead process awaited must not be collected half-way
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def server(self) -> Server:
        """The server that runs; raises `ServerGoneError` where none does."""
        if self._server is None or not self._server.ready:
            raise ServerGoneError
        return self._server

    @property
    def up(self) -> bool:
        """Whether a server runs."""
        return self._server is not None and self._server.ready

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs something for as long as the machine is there."""
        task = self.loop.create_task(work, name=f"task {len(self._tasks)}")
        self._tasks[task] = None
        return task

    def calm(self) -> None:
        """Nothing more goes wrong."""
        self.disk.faults = DiskFaults()
        if self._server is not None:
            self._server.kill_after_steps = None

    async def boot(self) -> None:
        """Starts a server, again and again until it is ready."""
        while True:
            life = len(self._lives) + 1
            self.trace.note(f"machine: starts server {life}")
            self._server = Server(self, life, random.Random(f"{self._threads_rng.random()}"))
            self._lives.append(self._server)
            if await self._server.started():
                self.epoch = self._server.epoch
                return
            await asyncio.sleep(_BOOT_S)

    async def stop(self) -> None:
        """Stops the server cleanly."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    def kill(self) -> None:
        """Ends the server process at once, as kill -9 does."""
        server, self._server = self._server, None
        if server is not None:
            self.trace.note("machine: kill -9")
            server.die()

    def cut_power(self) -> None:
        """Ends the server, and what was not synced with it."""
        self.kill()
        self.trace.note(f"machine: power cut, {self.disk.cut_power()} transactions lost")

    async def replace_log(self) -> None:
        """The server stops, and somebody takes its file away."""
        await self.stop()
        self.disk.replace_file()

    async def restore_log(self, share: float) -> None:
        """The server stops, and somebody puts a copy back that has a share of the transactions."""
        await self.stop()
        self.trace.note(f"machine: copy put back, {self.disk.restore_copy(share)} transactions gone")

    async def publish(
        self, drafts: Sequence[Draft], durability: Durability, *, atomic: bool, patience_s: float | None
    ) -> tuple[int, Sequence[AppendResult]]:
        """One unary call; gives the life of the server that answered too.

        Raises:
            ServerGoneError: No answer came.
            DomainError: The server's answer.
        """
        await asyncio.sleep(0.01 * self.rng.random() ** 2)
        server = self.server
        results = await server.publish(drafts, durability, atomic=atomic, patience_s=patience_s)
        if results is None:
            raise ServerGoneError
        await asyncio.sleep(0.01 * self.rng.random() ** 2)
        return server.life, results

    def watch(self, request: SubscriptionRequest, *, window: int) -> Line:
        """One call of a watch RPC."""
        server = self.server
        wire = Wire(self.loop, self.rng, window=window, longest_s=0.01)
        return Line(wire, self, server.watch(request, wire))

    def cut_connections(self) -> None:
        """Breaks all connections, as a switch that restarts does."""
        if self._server is not None:
            self._server.cut_connections()
