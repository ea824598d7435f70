"""How jobs end early: cancelled, past their deadline, overtaken by the end of the engine."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from eventually import eventually
from fakes.inference import (
    MODEL,
    FakeSession,
    Gate,
    TurnableClock,
    of,
    one_busy_worker,
    queued,
    started,
    x,
)
from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-OP7")


async def test_cancelling_a_queued_job_frees_its_place_at_once_and_it_never_runs() -> None:
    session = FakeSession()
    async with one_busy_worker(session, queue_limit=1) as (engine, gate):
        first = asyncio.create_task(engine.run(MODEL, x(1)))
        await queued(engine, 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (of(engine).queued, of(engine).cancelled) == (0, 1)
        second = asyncio.create_task(engine.run(MODEL, x(2)))
        await queued(engine, 1)
        gate.open()
        await second
    assert [array[0, 0] for array in session.ran] == [2]


async def test_cancelling_a_running_job_stops_it_and_the_next_one_runs() -> None:
    session = FakeSession(gate=Gate(shut=True))
    async with started(session) as engine:
        stuck = asyncio.create_task(engine.run(MODEL, x(1)))
        await session.gate.arrival()
        following = asyncio.create_task(engine.run(MODEL, x(2)))
        await queued(engine, 1)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        await session.gate.arrival()  # the next one is there while the gate is still shut: the worker is free
        assert (session.terminated, of(engine).cancelled, of(engine).running) == (1, 1, 1)
        session.gate.open()
        np.testing.assert_array_equal((await following)[0], [[4, 4]])


async def test_the_result_of_a_cancelled_function_is_dropped() -> None:
    async with started(FakeSession()) as engine:
        gate = Gate(shut=True)
        task = asyncio.create_task(engine.call(gate.pass_through, step="decode"))
        await gate.arrival()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.statistics().calls["decode"].running == 1  # it cannot be interrupted
        gate.open()
        await eventually(lambda: engine.statistics().calls["decode"].cancelled == 1)
        assert engine.statistics().calls["decode"].completed == 0


async def test_a_deadline_stops_a_running_job() -> None:
    session = FakeSession(gate=Gate(shut=True))
    async with started(session) as engine:
        with pytest.raises(DomainError) as caught:
            await engine.run(MODEL, x(1), deadline=Deadline.after(0.05, SystemClock()))
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        await eventually(lambda: of(engine).expired == 1)
        assert session.terminated == 1
        session.gate.open()
        await engine.run(MODEL, x(2))


async def test_a_deadline_takes_a_queued_job_out_while_the_worker_is_busy() -> None:
    session = FakeSession()
    async with one_busy_worker(session) as (engine, _):
        with pytest.raises(DomainError) as caught:
            await engine.run(MODEL, x(1), deadline=Deadline.after(0.01, SystemClock()))
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert (of(engine).queued, of(engine).expired) == (0, 1)
    assert session.ran == []


async def test_a_worker_never_starts_a_job_whose_deadline_has_passed() -> None:
    clock = TurnableClock()
    session = FakeSession()
    async with one_busy_worker(session, clock=clock) as (engine, gate):
        late = asyncio.create_task(engine.run(MODEL, x(1), deadline=Deadline.after(60, clock)))
        await queued(engine, 1)
        clock.advance(61)
        gate.open()
        with pytest.raises(DomainError) as caught:
            await late
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert session.ran == []


async def test_a_deadline_that_holds_changes_nothing() -> None:
    async with started(FakeSession()) as engine:
        (y,) = await engine.run(MODEL, x(1), deadline=Deadline.after(600, SystemClock()))
        assert y[0, 0] == 2
        assert (
            await engine.call(lambda: "done", step="decode", deadline=Deadline.after(600, SystemClock()))
            == "done"
        )


async def test_leaving_while_busy_fails_what_is_open_and_ends_the_threads() -> None:
    session = FakeSession(gate=Gate(shut=True))
    async with started(session) as engine:
        open_jobs = [asyncio.create_task(engine.run(MODEL, x(value))) for value in range(3)]
        await session.gate.arrival()
        await queued(engine, 2)
    results = await asyncio.gather(*open_jobs, return_exceptions=True)
    assert [result.reason for result in results if isinstance(result, DomainError)] == [Reason.DRAINING] * 3
    assert len(session.ran) == 1
    assert not any(worker._thread.is_alive() for worker in engine._workers)
    assert (of(engine).submitted, of(engine).cancelled) == (3, 3)
    with pytest.raises(DomainError) as caught:
        await engine.run(MODEL, x(9))
    assert caught.value.reason is Reason.DRAINING
