"""The parts that a history runs on keep what they promise: loop, clock, threads, disk, wire."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from simulation.disk import Disk
from simulation.disk_store import DiskStore
from simulation.machine_threads import MachineThreads, ProcessKilled
from simulation.virtual_clock import VirtualClock
from simulation.virtual_loop import DeadlockError, RunawayError, VirtualLoop
from simulation.wire import Wire, WireCutError, WireEndedError
from vidence_client.conformance import Kind, Message
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.store import Extent, IdentityTakenError, Record, StoreError

pytestmark = pytest.mark.requirement("R-ST1")


def loop_of(seed: int = 0, **limits: int) -> VirtualLoop:
    return VirtualLoop(random.Random(seed), **limits)


def test_time_jumps_to_the_next_timer_and_never_runs_early() -> None:
    loop = loop_of()

    async def main() -> float:
        await asyncio.sleep(3600)
        return loop.time()

    assert 3600 <= loop.run(main()) < 3601


def test_waiting_for_what_nobody_does_is_a_deadlock() -> None:
    loop = loop_of()

    async def main() -> None:
        await loop.create_future()

    with pytest.raises(DeadlockError):
        loop.run(main())


def test_running_without_end_is_noticed() -> None:
    async def main() -> None:
        def again() -> None:
            asyncio.get_running_loop().call_soon(again)

        again()
        await asyncio.sleep(1)

    with pytest.raises(RunawayError):
        loop_of(max_steps=100).run(main())


def test_callbacks_keep_the_order_of_their_registration() -> None:
    for seed in range(20):
        loop, order = loop_of(seed), list[int]()

        async def main(loop: VirtualLoop = loop, order: list[int] = order) -> None:
            for number in range(5):
                loop.call_soon(order.append, number)
            await asyncio.sleep(0.1)

        loop.run(main())
        assert order == [0, 1, 2, 3, 4]


def test_tasks_that_are_ready_together_run_in_a_drawn_order() -> None:
    def order_of(seed: int) -> tuple[int, ...]:
        order: list[int] = []

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            order.append(number)

        async def main() -> None:
            await asyncio.gather(*(work(number) for number in range(4)))

        loop_of(seed).run(main())
        return tuple(order)

    assert len({order_of(seed) for seed in range(20)}) > 5
    assert order_of(7) == order_of(7)


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(int)

    with pytest.raises(RuntimeError, match="no threads"):
        loop_of().run(main())


def test_the_wall_clock_jumps_and_the_other_does_not() -> None:
    loop = loop_of()
    clock = VirtualClock(loop)
    before, monotonic = clock.now_ns(), clock.monotonic()
    clock.jump(-60)
    assert clock.now_ns() == before - 60 * 10**9
    assert clock.monotonic() == monotonic
    loop.close()


def test_a_thread_lets_the_loop_run_where_it_touches_the_disk() -> None:
    loop = loop_of()
    threads = MachineThreads(loop, random.Random(1), count=1, longest_s=0.1)
    begun = asyncio.Event()
    steps: list[str] = []

    def work() -> str:
        steps.append("begins")
        begun.set()
        threads.pause()
        steps.append("ends")
        return "result"

    async def main() -> str:
        running = threads.run(work)
        await begun.wait()
        steps.append("loop")
        return await running

    assert loop.run(main()) == "result"
    assert steps == ["begins", "loop", "ends"]


def test_one_thread_runs_functions_one_after_another() -> None:
    loop = loop_of()
    threads = MachineThreads(loop, random.Random(1), count=1, longest_s=0.1)
    order: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def steps() -> None:
            order.append(name)
            threads.pause()
            order.append(name)

        return steps

    async def main() -> None:
        await asyncio.gather(*[threads.run(work(name)) for name in "abc"])

    loop.run(main())
    assert "".join(order) == "aabbcc"


def test_a_killed_thread_goes_no_further() -> None:
    loop = loop_of()
    threads = MachineThreads(loop, random.Random(1), count=1, longest_s=0.1)
    begun = asyncio.Event()
    steps: list[str] = []

    def work() -> None:
        steps.append("begins")
        begun.set()
        try:
            threads.pause()
        except ProcessKilled:
            steps.append("killed")
            raise
        steps.append("goes on")

    async def main() -> bool:
        running = threads.run(work)
        await begun.wait()
        threads.kill()
        await asyncio.sleep(1)
        return running.done()

    assert loop.run(main()) is False
    assert steps == ["begins", "killed"]


def store_of(disk: Disk) -> DiskStore:
    return DiskStore(disk, lambda name: None)


def append(store: DiskStore, number: int, offset: int, durability: Durability) -> None:
    store.begin(durability)
    store.insert(number, [Record(offset, offset, b"body", f"id {offset}", None)])
    store.set_extent(number, Extent(newest=offset, event_count=offset))
    store.commit()


def disk_of(seed: int = 0) -> Disk:
    return Disk(random.Random(seed), lambda text: None)


@pytest.mark.requirement("R-EV3")
def test_a_power_cut_takes_a_tail_of_what_was_not_synced() -> None:
    kept = set()
    for seed in range(20):
        disk = disk_of(seed)
        store = store_of(disk)
        number = store.open_log("default", "bus", epoch=1).number
        append(store, number, 1, Durability.SYNCED)
        for offset in (2, 3):
            append(store, number, offset, Durability.WRITTEN)
        disk.cut_power()
        kept.add(tuple(disk.offsets()))
    assert kept == {(1,), (1, 2), (1, 2, 3)}


@pytest.mark.requirement("R-EV3")
def test_a_commit_may_fail_and_have_kept_everything() -> None:
    disk = disk_of()
    store = store_of(disk)
    number = store.open_log("default", "bus", epoch=1).number
    disk.faults.outcome_unknown = 1.0
    with pytest.raises(StoreError):
        append(store, number, 1, Durability.WRITTEN)
    assert disk.offsets() == [1]


@pytest.mark.requirement("R-EV3")
@pytest.mark.parametrize("fault", ["full", "commit_fails", "insert_fails"])
def test_a_transaction_that_fails_keeps_nothing(fault: str) -> None:
    disk = disk_of()
    store = store_of(disk)
    number = store.open_log("default", "bus", epoch=1).number
    setattr(disk.faults, fault, 1.0)
    with pytest.raises(StoreError):
        append(store, number, 1, Durability.WRITTEN)
    store.rollback()
    assert disk.offsets() == []
    assert store.extent(number) == Extent()


def test_an_identity_is_taken_once() -> None:
    disk = disk_of()
    store = store_of(disk)
    number = store.open_log("default", "bus", epoch=1).number
    append(store, number, 1, Durability.WRITTEN)
    store.begin(Durability.WRITTEN)
    with pytest.raises(IdentityTakenError):
        store.insert(number, [Record(2, 2, b"body", "id 1", None)])


def message(number: int) -> Message:
    return Message(Kind.HEARTBEAT, str(number), str(number - 1))


def wire_of(loop: VirtualLoop, window: int = 2) -> Wire:
    return Wire(loop, random.Random(1), window=window, longest_s=0.1)


def test_a_wire_keeps_order_and_a_full_window_holds_the_writer() -> None:
    loop = loop_of()
    wire = wire_of(loop)
    written: list[int] = []

    async def write() -> None:
        for number in range(5):
            await wire.write(message(number))
            written.append(number)
        wire.end("")

    async def main() -> list[str]:
        writing = asyncio.create_task(write())
        await asyncio.sleep(10)
        assert written == [0, 1]
        read = [(await wire.read()).cursor for _ in range(5)]
        with pytest.raises(WireEndedError):
            await wire.read()
        await writing
        return read

    assert loop.run(main()) == ["0", "1", "2", "3", "4"]


def test_a_cut_wire_loses_what_was_not_read_and_frees_the_writer() -> None:
    loop = loop_of()
    wire = wire_of(loop, window=1)

    async def main() -> None:
        await wire.write(message(1))
        blocked = asyncio.create_task(wire.write(message(2)))
        await asyncio.sleep(1)
        wire.cut()
        with pytest.raises(WireCutError):
            await blocked
        with pytest.raises(WireCutError):
            await wire.read()

    loop.run(main())
