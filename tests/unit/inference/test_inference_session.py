"""Sessions on real ONNX Runtime with graphs made here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import structlog
from onnx import TensorProto, helper, numpy_helper
from structlog.testing import capture_logs

from eventually import PATIENCE_S, eventually
from fakes.inference import model_spec
from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.providers import CPU, CUDA
from vidence_server.inference.session import ModelSession, OnnxSession, SessionSettings, open_session

pytestmark = pytest.mark.requirement("R-OP7")


def tensor(name: str, shape: list[int | str | None], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"character": "a\nb"})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def linear_graph() -> onnx.GraphProto:
    """`y = x · w`, x float32 (N, 8), y float32 (N, 4)."""
    weights = np.random.default_rng(3).normal(size=(8, 4)).astype(np.float32)
    return helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [tensor("x", ["N", 8])],
        [tensor("y", ["N", 4])],
        [numpy_helper.from_array(weights, "w")],
    )


def looping_graph() -> onnx.GraphProto:
    """Multiplies x (64, 64) by itself `turns` times: as long as one likes."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["carried", "x"], ["product"]),
        ],
        "body",
        [
            tensor("turn", [], TensorProto.INT64),
            tensor("go", [], TensorProto.BOOL),
            tensor("carried", [64, 64]),
        ],
        [tensor("go_on", [], TensorProto.BOOL), tensor("product", [64, 64])],
    )
    return helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)],
        "loop",
        [tensor("x", [64, 64]), tensor("turns", [], TensorProto.INT64)],
        [tensor("y", [64, 64])],
    )


def opened(path: Path, *, max_batch: int = 1, settings: SessionSettings | None = None) -> OnnxSession:
    spec = model_spec(max_batch=max_batch, warm_up_shapes=({"x": (1, 8)},))
    return open_session(spec, path, settings or SessionSettings(), structlog.get_logger())


def loop_inputs(turns: int) -> dict[str, np.ndarray]:
    return {"x": np.eye(64, dtype=np.float32), "turns": np.array(turns, np.int64)}


@asynccontextmanager
async def engine_with(session: ModelSession, settings: EngineSettings) -> AsyncIterator[Engine]:
    async with asyncio.timeout(2 * PATIENCE_S), Engine({"m": session}, settings, SystemClock()) as engine:
        yield engine


def test_a_session_tells_what_it_takes_gives_and_where_it_runs(tmp_path: Path) -> None:
    session = opened(save(linear_graph(), tmp_path / "m.onnx"), max_batch=16)
    assert [(item.name, item.shape, item.dtype) for item in session.inputs] == [
        ("x", (None, 8), np.dtype(np.float32))
    ]
    assert (session.outputs, session.providers, session.max_batch) == (("y",), (CPU,), 16)
    assert session.metadata == {"character": "a\nb"}
    assert session.warm_up_shapes == ({"x": (1, 8)},)


def test_one_line_at_the_start_names_the_provider_in_use(tmp_path: Path) -> None:
    path = save(linear_graph(), tmp_path / "m.onnx")
    with capture_logs() as lines:
        opened(path)
    assert [(line["event"], line["model"], line["provider"]) for line in lines] == [
        ("model_loaded", "doubler", CPU)
    ]


async def test_warm_up_and_a_run_on_a_real_model(tmp_path: Path) -> None:
    session = opened(save(linear_graph(), tmp_path / "m.onnx"))
    async with engine_with(session, EngineSettings(workers=1)) as engine:
        await engine.warm_up()
        (y,) = await engine.run("m", {"x": np.zeros((1, 8), np.float32)})
        assert y.shape == (1, 4)
        assert engine.statistics().models["m"].completed == 2


@pytest.mark.requirement("R-EX6")
async def test_a_real_model_gives_the_same_in_batches_as_alone(tmp_path: Path) -> None:
    session = opened(save(linear_graph(), tmp_path / "m.onnx"), max_batch=8)
    inputs = [row[None] for row in np.random.default_rng(5).normal(size=(12, 8)).astype(np.float32)]
    results = {}
    for max_batch in (1, 8):
        async with engine_with(session, EngineSettings(workers=2, max_batch={"m": max_batch})) as engine:
            results[max_batch] = await asyncio.gather(*(engine.run("m", {"x": row}) for row in inputs))
    for (alone,), (together,) in zip(results[1], results[8], strict=True):
        np.testing.assert_allclose(together, alone, atol=1e-5)


async def test_cancelling_stops_a_real_run_and_frees_the_only_worker(tmp_path: Path) -> None:
    session = opened(save(looping_graph(), tmp_path / "m.onnx"))
    async with engine_with(session, EngineSettings(workers=1)) as engine:
        endless = asyncio.create_task(engine.run("m", loop_inputs(1 << 40)))
        await eventually(lambda: engine.statistics().models["m"].running == 1)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        # The same session still works, and the one worker is free for it.
        (y,) = await engine.run("m", loop_inputs(3))
        np.testing.assert_array_equal(y, np.eye(64))
        assert engine.statistics().models["m"].cancelled == 1


async def test_a_deadline_stops_a_real_run(tmp_path: Path) -> None:
    session = opened(save(looping_graph(), tmp_path / "m.onnx"))
    async with engine_with(session, EngineSettings(workers=1)) as engine:
        with pytest.raises(DomainError) as caught:
            await engine.run("m", loop_inputs(1 << 40), deadline=Deadline.after(0.05, SystemClock()))
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        await engine.run("m", loop_inputs(1))


async def test_leaving_the_engine_stops_a_real_run(tmp_path: Path) -> None:
    session = opened(save(looping_graph(), tmp_path / "m.onnx"))
    async with engine_with(session, EngineSettings(workers=1)) as engine:
        endless = asyncio.create_task(engine.run("m", loop_inputs(1 << 40)))
        await eventually(lambda: engine.statistics().models["m"].running == 1)
    with pytest.raises(DomainError) as caught:
        await endless
    assert caught.value.reason is Reason.DRAINING


async def test_wrong_inputs_are_an_internal_error(tmp_path: Path) -> None:
    session = opened(save(linear_graph(), tmp_path / "m.onnx"))
    async with engine_with(session, EngineSettings(workers=1)) as engine:
        with pytest.raises(DomainError) as caught:
            await engine.run("m", {"x": np.zeros((1, 7), np.float32)})
    assert caught.value.reason is Reason.INTERNAL


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(DomainError) as caught:
        opened(path)
    assert caught.value.reason is Reason.MODEL_CORRUPT


def test_an_input_type_that_arrays_cannot_hold_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "words",
        [tensor("x", [1], TensorProto.STRING)],
        [tensor("y", [1], TensorProto.STRING)],
    )
    with pytest.raises(DomainError, match=r"tensor\(string\)"):
        opened(save(graph, tmp_path / "m.onnx"))


def test_a_required_provider_that_the_runtime_lacks_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(DomainError, match=r"CUDAExecutionProvider.*gpu") as caught:
        opened(save(linear_graph(), tmp_path / "m.onnx"), settings=SessionSettings(providers=(CUDA, CPU)))
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


class RuntimeThatFallsBack:
    """ONNX Runtime as it behaves when a CUDA library is missing: it says CUDA and takes the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        real = ort.InferenceSession

        def inference_session(
            path: str, options: object, providers: list[tuple[str, dict[str, str]]]
        ) -> object:
            self.calls.append("session")
            self.asked = providers
            return real(path, options, providers=[CPU])

        monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
        monkeypatch.setattr(ort, "preload_dlls", lambda: self.calls.append("preload"))
        monkeypatch.setattr(ort, "InferenceSession", inference_session)


def test_auto_warns_when_cuda_is_silently_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = RuntimeThatFallsBack(monkeypatch)
    with capture_logs() as lines:
        session = opened(save(linear_graph(), tmp_path / "m.onnx"))
    assert runtime.calls == ["preload", "session"]
    assert [name for name, _ in runtime.asked] == [CUDA, CPU]
    assert session.providers == (CPU,)
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "model_provider_missing"),
        ("info", "model_loaded"),
    ]
    assert lines[0]["missing"] == (CUDA,)


def test_a_required_provider_that_is_silently_left_out_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RuntimeThatFallsBack(monkeypatch)
    with pytest.raises(DomainError, match="did not start") as caught:
        opened(save(linear_graph(), tmp_path / "m.onnx"), settings=SessionSettings(providers=(CUDA, CPU)))
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
