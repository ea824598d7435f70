"""The engine: results, order, bounds, errors, statistics. Models are fakes with knobs."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector_off import collector_off
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
from never_blocking import never_blocking
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, EngineSettings, Priority, available_cores

pytestmark = pytest.mark.requirement("R-OP7")


async def test_a_step_gives_the_outputs_of_its_model() -> None:
    async with started(FakeSession()) as engine:
        (y,) = await engine.run(MODEL, x(3))
        np.testing.assert_array_equal(y, [[6, 6]])
        assert engine.workers == 1


async def test_higher_priorities_run_first_and_equal_ones_in_the_order_they_came() -> None:
    session = FakeSession()
    async with one_busy_worker(session) as (engine, gate), asyncio.TaskGroup() as tasks:
        order = [
            (1, Priority.BULK),
            (2, Priority.LIVE),
            (3, Priority.INTERACTIVE),
            (4, Priority.LIVE),
            (5, Priority.BULK),
        ]
        for number, (value, priority) in enumerate(order):
            tasks.create_task(engine.run(MODEL, x(value), priority=priority))
            await queued(engine, number + 1)
        gate.open()
    assert [array[0, 0] for array in session.ran] == [2, 4, 3, 1, 5]


async def test_models_and_functions_of_one_priority_take_turns_by_age() -> None:
    session = FakeSession()
    ran: list[str] = []
    session.on_run = lambda: ran.append("model")
    async with one_busy_worker(session) as (engine, gate), asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(engine.run(MODEL, x(number)))
            await queued(engine, number + 1)
            tasks.create_task(engine.call(lambda: ran.append("function"), step="decode"))
            calls = number + 1
            await eventually(lambda calls=calls: _calls_queued(engine) == calls)  # type: ignore[misc]  # mypy cannot type a lambda's default
        gate.open()
    assert ran == ["model", "function", "model", "function"]


async def test_priority_counts_across_models_and_functions() -> None:
    ran: list[str] = []
    session = FakeSession(on_run=lambda: ran.append("model"))
    async with one_busy_worker(session) as (engine, gate), asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.call(lambda: ran.append("bulk"), step="decode", priority=Priority.BULK))
        await eventually(lambda: _calls_queued(engine) == 1)
        tasks.create_task(engine.run(MODEL, x(1), priority=Priority.LIVE))
        await queued(engine, 1)
        gate.open()
    assert ran == ["model", "bulk"]


def _calls_queued(engine: Engine) -> int:
    decode = engine.statistics().calls.get("decode")
    return decode.queued if decode else 0


async def test_a_full_queue_refuses_with_a_delay_that_grows_with_the_work_ahead() -> None:
    clock = TurnableClock()
    session = FakeSession(on_run=lambda: clock.advance(3.0))
    async with started(session, workers=1, clock=clock, queue_limit=2) as engine:
        await engine.run(MODEL, x(0))  # teaches the engine that a run takes 3 s
        session.gate.shut()
        await session.gate.arrival()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.run(MODEL, x(1)))
            await session.gate.arrival()
            for value in (2, 3):
                tasks.create_task(engine.run(MODEL, x(value)))
            await queued(engine, 2)
            with pytest.raises(DomainError) as caught:
                await engine.run(MODEL, x(4))
            session.gate.open()
        assert caught.value.reason is Reason.QUEUE_FULL
        assert caught.value.retry_after_s == pytest.approx(2 * 3.0)
        assert caught.value.metadata == {"step": MODEL, "queued": "2", "limit": "2"}
        assert (of(engine).rejected, of(engine).completed) == (1, 4)


async def test_a_full_queue_of_functions_refuses_too() -> None:
    async with one_busy_worker(FakeSession(), call_queue_limit=1) as (engine, gate):
        waiting = asyncio.create_task(engine.call(lambda: 1, step="decode"))
        await eventually(lambda: _calls_queued(engine) == 1)
        with pytest.raises(DomainError) as caught:
            await engine.call(lambda: 2, step="decode")
        assert (caught.value.reason, caught.value.retry_after_s) == (Reason.QUEUE_FULL, 0.1)
        gate.open()
        assert await waiting == 1


async def test_an_unknown_model_is_named() -> None:
    async with started(FakeSession()) as engine:
        with pytest.raises(DomainError, match=r"'tripler'.*doubler") as caught:
            await engine.run("tripler", x(1))
    assert caught.value.reason is Reason.MODEL_UNKNOWN


async def test_a_failing_model_is_an_internal_error_that_keeps_its_cause_to_itself() -> None:
    session = FakeSession(error=ValueError("ANNA MARIA ERIKSSON"))
    async with started(session) as engine:
        with pytest.raises(DomainError) as caught:
            await engine.run(MODEL, x(1))
        assert of(engine).failed == 1
        session.error = None
        await engine.run(MODEL, x(1))
    assert caught.value.reason is Reason.INTERNAL
    assert "ERIKSSON" not in caught.value.message
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("error", [DomainError(Reason.IMAGE_CORRUPT, "broken"), ValueError("own")])
async def test_a_function_raises_its_own_errors(error: Exception) -> None:
    def fail() -> None:
        raise error

    async with started(FakeSession()) as engine:
        with pytest.raises(type(error)) as caught:
            await engine.call(fail, step="decode")
        assert caught.value is error
        assert engine.statistics().calls["decode"].failed == 1


@pytest.mark.requirement("R-ST6")
async def test_a_failed_step_keeps_nothing_of_what_it_worked_on() -> None:
    class Picture:
        pass

    pictures: list[weakref.ref[Picture]] = []

    def fail() -> None:
        picture = Picture()
        pictures.append(weakref.ref(picture))
        raise DomainError(Reason.IMAGE_CORRUPT, "broken")

    async def attempt(engine: Engine, picture: Picture) -> None:
        pictures.append(weakref.ref(picture))
        with pytest.raises(DomainError):
            await engine.call(fail, step="decode")

    with collector_off():
        async with started(FakeSession()) as engine:
            for _ in range(3):
                await attempt(engine, Picture())
            await eventually(lambda: all(picture() is None for picture in pictures), within_s=10)
    assert len(pictures) == 6


@pytest.mark.parametrize("error", [StopIteration(), SystemExit(3)])
async def test_what_a_future_cannot_carry_becomes_an_internal_error_and_the_worker_lives_on(
    error: BaseException,
) -> None:
    def fail() -> None:
        raise error

    async with started(FakeSession()) as engine:
        with pytest.raises(DomainError) as caught:
            await engine.call(fail, step="decode")
        assert caught.value.reason is Reason.INTERNAL
        assert await engine.call(lambda: 5, step="decode") == 5


async def test_statistics_add_up_under_a_mixed_load() -> None:
    session = FakeSession(max_batch=4, gate=Gate(shut=True))
    async with started(session, workers=2, queue_limit=16, max_batch={MODEL: 4}) as engine:
        tasks = [
            asyncio.create_task(engine.run(MODEL, x(value), priority=Priority(value % 3)))
            for value in range(40)
        ]
        await asyncio.sleep(0)  # every task has submitted its job or was refused
        for task in tasks[::5]:
            task.cancel()
        await eventually(lambda: all(task.done() for task in tasks[::5]))
        session.gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await eventually(lambda: engine.statistics().busy_workers == 0)
        totals = of(engine)
    refused = sum(isinstance(result, DomainError) for result in results)
    assert totals.rejected == refused
    assert totals.submitted + totals.rejected == len(tasks)
    assert (totals.queued, totals.running, totals.failed, totals.expired) == (0, 0, 0, 0)
    assert totals.completed == sum(isinstance(result, tuple) for result in results)
    assert totals.runs == len(session.ran)
    assert totals.batch_size_sum >= totals.completed
    assert 1 <= totals.batch_size_mean <= 4


async def test_waiting_and_running_times_are_counted() -> None:
    clock = TurnableClock()
    session = FakeSession(on_run=lambda: clock.advance(2.0))
    async with one_busy_worker(session, clock=clock) as (engine, gate):
        assert (of(engine).batch_size_mean, engine.statistics().busy_workers) == (0.0, 1)
        async with asyncio.TaskGroup() as tasks:
            for value in range(2):
                tasks.create_task(engine.run(MODEL, x(value)))
            await queued(engine, 2)
            clock.advance(5.0)
            gate.open()
        totals = of(engine)
    assert (totals.queue_wait_s_sum, totals.queue_wait_s_max) == (5.0 + 7.0, 7.0)
    assert (totals.runs, totals.run_s_sum, totals.run_s_max) == (2, 4.0, 2.0)


async def test_warm_up_runs_every_declared_shape_with_zeros() -> None:
    session = FakeSession(warm_up_shapes=({"x": (1, 4)}, {"x": (1, 8)}))
    async with started(session) as engine:
        await engine.warm_up()
    assert [(array.shape, array.dtype.name, bool(array.any())) for array in session.ran] == [
        ((1, 4), "float32", False),
        ((1, 8), "float32", False),
    ]


async def test_sixteen_callers_get_their_own_results_from_four_workers() -> None:
    async with started(FakeSession(), workers=4) as engine:
        results = await asyncio.gather(*(engine.run(MODEL, x(value)) for value in range(16)))
    assert [float(y[0, 0]) for (y,) in results] == [2.0 * value for value in range(16)]


def test_workers_follow_the_hardware_unless_told() -> None:
    def engine(session: FakeSession, settings: EngineSettings) -> Engine:
        return Engine({MODEL: session}, settings, SystemClock())

    on_gpu = FakeSession(providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    assert engine(FakeSession(), EngineSettings()).workers == available_cores()
    assert engine(on_gpu, EngineSettings()).workers == 2
    assert engine(on_gpu, EngineSettings(workers=3)).workers == 3


@pytest.mark.parametrize(
    ("quota", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 3), (None, 3)]
)
def test_a_container_quota_bounds_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str | None, cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    assert available_cores(file) == cores


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"queue_limit": 0}, {"call_queue_limit": 0}, {"max_batch": {"m": 0}}]
)
def test_sizes_below_one_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        EngineSettings(**wrong)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


async def test_the_loop_is_never_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    with never_blocking("vidence_server.inference"):
        async with started(session, workers=2) as engine:
            await asyncio.gather(*(engine.run(MODEL, x(value)) for value in range(32)))
            engine.statistics()
    assert len(session.ran) == 32
