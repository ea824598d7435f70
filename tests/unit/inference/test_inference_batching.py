"""Steps that run together give what they give alone."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eventually import eventually
from fakes.inference import MODEL, FakeSession, Gate, of
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.batching import split, stack
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.jobs import Array, ModelStep

pytestmark = pytest.mark.requirement("R-OP7")


@pytest.mark.requirement("R-EX6")
@given(
    arrays=st.tuples(st.integers(1, 3), st.integers(1, 4)).flatmap(
        lambda shape: st.lists(
            hnp.arrays(np.float32, shape, elements=st.floats(-9, 9, width=32)), min_size=1, max_size=5
        )
    )
)
def test_stacking_and_splitting_gives_every_step_its_own_rows(arrays: list[Array]) -> None:
    joined = stack([ModelStep({"x": array}) for array in arrays])
    parts = split([joined["x"] * 2, joined["x"].sum(axis=1)], len(arrays))
    for array, (doubled, summed) in zip(arrays, parts, strict=True):
        np.testing.assert_array_equal(doubled, array * 2)
        np.testing.assert_array_equal(summed, array.sum(axis=1))


@pytest.mark.parametrize("output", [np.zeros((3, 2)), np.array(1.0)])
def test_an_output_that_does_not_divide_is_an_error(output: Array) -> None:
    with pytest.raises(DomainError) as caught:
        split([output], 2)
    assert caught.value.reason is Reason.INTERNAL


async def run_together(session: FakeSession, inputs: list[Array], max_batch: int) -> list[Array]:
    """Runs all inputs while the only worker is held back, so that they are waiting together."""
    settings = EngineSettings(workers=1, max_batch={MODEL: max_batch})
    async with Engine({MODEL: session}, settings, SystemClock()) as engine:
        gate = Gate(shut=True)
        occupier = asyncio.create_task(engine.call(gate.pass_through, step="occupy"))
        await gate.arrival()
        tasks = [asyncio.create_task(engine.run(MODEL, {"x": array})) for array in inputs]
        await eventually(lambda: of(engine).queued == len(inputs))
        gate.open()
        await occupier
        return [(await task)[0] for task in tasks]


@pytest.mark.requirement("R-EX6")
@pytest.mark.parametrize(
    ("widths", "max_batch", "runs"),
    [
        ([4, 4, 4, 4, 4], 4, [(4, 4), (1, 4)]),
        ([4, 4, 4], 1, [(1, 4)] * 3),
        ([4, 8, 4, 8], 4, [(2, 4), (2, 8)]),
    ],
)
async def test_steps_of_one_shape_run_together_and_results_are_those_of_single_runs(
    widths: list[int], max_batch: int, runs: list[tuple[int, int]]
) -> None:
    rng = np.random.default_rng(7)
    inputs = [rng.random((1, width), np.float32) for width in widths]
    session = FakeSession(max_batch=8)
    results = await run_together(session, inputs, max_batch)
    assert [array.shape for array in session.ran] == runs
    for array, result in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(result, array * 2)


async def test_a_batch_counts_rows_and_never_exceeds_what_the_model_allows() -> None:
    session = FakeSession(max_batch=5)
    results = await run_together(session, [np.ones((2, 3), np.float32)] * 3, max_batch=100)
    assert [array.shape for array in session.ran] == [(4, 3), (2, 3)]
    assert [result.shape for result in results] == [(2, 3)] * 3


async def test_types_are_not_mixed() -> None:
    session = FakeSession(max_batch=8)
    results = await run_together(
        session, [np.ones((1, 2), np.float32), np.ones((1, 2), np.uint8)], max_batch=8
    )
    assert [result.dtype for result in results] == [np.float32, np.uint8]
    assert len(session.ran) == 2


@pytest.mark.parametrize(
    ("providers", "largest"),
    [(("CPUExecutionProvider",), 1), (("CUDAExecutionProvider", "CPUExecutionProvider"), 4)],
)
async def test_by_default_only_an_accelerator_batches(providers: tuple[str, ...], largest: int) -> None:
    session = FakeSession(max_batch=4, providers=providers)
    settings = EngineSettings(workers=1)
    engine = Engine({MODEL: session}, settings, SystemClock())
    assert engine._scheduler._models[MODEL].max_batch == largest


async def test_a_batch_is_stopped_only_when_all_its_jobs_are_cancelled() -> None:
    session = FakeSession(max_batch=2, gate=Gate(shut=True))
    settings = EngineSettings(workers=1, max_batch={MODEL: 2})
    async with Engine({MODEL: session}, settings, SystemClock()) as engine:
        first = asyncio.create_task(engine.run(MODEL, {"x": np.ones((1, 3), np.float32)}))
        await session.gate.arrival()
        pair = [asyncio.create_task(engine.run(MODEL, {"x": np.ones((1, 2), np.float32)})) for _ in range(2)]
        await eventually(lambda: of(engine).queued == 2)
        first.cancel()
        await session.gate.arrival()
        assert of(engine).running == 2
        pair[0].cancel()
        await asyncio.gather(pair[0], return_exceptions=True)
        assert (session.terminated, of(engine).running) == (1, 2)  # only the first job's run was stopped
        session.gate.open()
        np.testing.assert_array_equal((await pair[1])[0], [[2, 2]])
        assert (of(engine).completed, of(engine).cancelled) == (1, 2)
    assert session.terminated == 1


async def test_cancelling_every_job_of_a_batch_stops_its_run() -> None:
    session = FakeSession(max_batch=2, gate=Gate(shut=True))
    settings = EngineSettings(workers=1, max_batch={MODEL: 2})
    async with Engine({MODEL: session}, settings, SystemClock()) as engine:
        gate = Gate(shut=True)
        occupier = asyncio.create_task(engine.call(gate.pass_through, step="occupy"))
        await gate.arrival()
        pair = [asyncio.create_task(engine.run(MODEL, {"x": np.ones((1, 2), np.float32)})) for _ in range(2)]
        await eventually(lambda: of(engine).queued == 2)
        gate.open()
        await occupier
        await session.gate.arrival()
        for task in pair:
            task.cancel()
        await eventually(lambda: session.terminated == 1)
        assert all(
            isinstance(result, asyncio.CancelledError)
            for result in await asyncio.gather(*pair, return_exceptions=True)
        )
