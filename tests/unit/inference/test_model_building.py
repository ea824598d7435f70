"""Models built at pull time: from a checked source, checked by numbers, remembered by their own hash."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes.inference import FakeDownloader, model_spec
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.building import build_model
from vidence_server.inference.building.checking import pattern
from vidence_server.inference.building.fold_dequantize import build, dequantize
from vidence_server.inference.builds import Build, CheckInput, ModelCheck
from vidence_server.inference.download import pip_command
from vidence_server.inference.pull import PullState, pull
from vidence_server.inference.registry import LocalFile, ModelSpec
from vidence_server.inference.session import SessionSettings, open_session
from vidence_server.inference.store import ModelStore

pytestmark = pytest.mark.requirement("R-FA1", "R-OP7")

WEIGHTS = np.array([[1, -2, 3], [4, 5, -6]], np.int8)
SCALES = np.array([0.5, 0.25], np.float32)
FOLD = Build("fold-dequantize", {"dynamic": {"x": [0]}})
RIGHT = ModelCheck({"x": CheckInput(values=[[1, 1, 1]], dtype="float32")}, "y", (1.0, 0.75), 1e-6)


def quantised_graph() -> bytes:
    """y = dropout(x · reshape(dequantise(weights)))ᵀ, with the weights also listed as an input."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["w_flat"], axis=0),
        helper.make_node("Reshape", ["w_flat", "shape"], ["w_real"]),
        helper.make_node("Gemm", ["x", "w_real"], ["z"], transB=1),
        helper.make_node("Dropout", ["z", "ratio"], ["y"]),
    ]
    weights = helper.make_tensor_value_info("w", TensorProto.INT8, WEIGHTS.shape)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3]), weights],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(WEIGHTS, "w"),
            numpy_helper.from_array(SCALES, "scale"),
            numpy_helper.from_array(np.array([2, 3], np.int64), "shape"),
            numpy_helper.from_array(np.array(0.5, np.float32), "ratio"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    content = quantised_graph()
    path = tmp_path / "source.onnx"
    path.write_bytes(content)
    source = model_spec(source=LocalFile(path), sha256=hashlib.sha256(content).hexdigest(), max_batch=4)
    return replace(source, build=FOLD, checks=(RIGHT,))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


def pulled(spec: ModelSpec, store: ModelStore) -> tuple[PullState, Reason | None]:
    (result,) = pull([spec], store, FakeDownloader())
    return result.state, result.error.reason if result.error else None


def test_a_built_model_runs_and_batches(spec: ModelSpec, store: ModelStore) -> None:
    import structlog

    assert pulled(spec, store) == (PullState.PULLED, None)
    session = open_session(spec, store.path(spec), SessionSettings(), structlog.get_logger())
    assert [(tensor.name, tensor.shape) for tensor in session.inputs] == [("x", (None, 3))]
    from vidence_server.inference.session import new_run_options

    (y,) = session.run({"x": np.eye(3, dtype=np.float32)}, new_run_options())
    assert np.allclose(y, (WEIGHTS * SCALES[:, None]).T)
    assert session.sha256 == spec.sha256


def test_building_twice_gives_the_same_bytes_and_a_second_pull_builds_nothing(
    spec: ModelSpec, store: ModelStore
) -> None:
    assert isinstance(spec.source, LocalFile)
    assert build(spec.source.path, FOLD.options) == build(spec.source.path, FOLD.options)
    pulled(spec, store)
    before = store.path(spec).stat().st_mtime_ns
    assert pulled(spec, store) == (PullState.PRESENT, None)
    assert store.path(spec).stat().st_mtime_ns == before


def test_a_source_with_another_hash_is_never_built(spec: ModelSpec, store: ModelStore) -> None:
    assert isinstance(spec.source, LocalFile)
    spec.source.path.write_bytes(b"something else")
    assert pulled(spec, store) == (PullState.FAILED, Reason.MODEL_CORRUPT)
    assert not store.place(spec).exists()


def test_a_built_file_that_was_changed_is_corrupt_and_is_built_anew(
    spec: ModelSpec, store: ModelStore
) -> None:
    pulled(spec, store)
    store.place(spec).write_bytes(b"bitten")
    with pytest.raises(DomainError) as caught:
        store.path(spec)
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert pulled(spec, store) == (PullState.PULLED, None)
    assert store.path(spec).is_file()


def test_a_built_file_without_its_hash_is_missing(spec: ModelSpec, store: ModelStore) -> None:
    pulled(spec, store)
    next(store.folder.glob("*.sha256")).unlink()
    with pytest.raises(DomainError) as caught:
        store.path(spec)
    assert caught.value.reason is Reason.MODEL_MISSING


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, expected=(1.0, 0.5)),
        replace(RIGHT, expected=(1.0, 0.75, 0.0)),
        replace(RIGHT, expected=(float("nan"), 0.75)),
        replace(RIGHT, output="absent"),
    ],
)
def test_a_built_model_that_computes_something_else_is_not_kept(
    spec: ModelSpec, store: ModelStore, wrong: ModelCheck
) -> None:
    assert pulled(replace(spec, checks=(wrong,)), store) == (PullState.FAILED, Reason.MODEL_CORRUPT)
    assert list(store.folder.glob("*.onnx")) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Build("unheard-of", {}), Reason.CONFIGURATION_INVALID),
        (Build("fold-dequantize", {"dynamic": {"absent": [0]}}), Reason.MODEL_CORRUPT),
    ],
)
def test_a_build_that_cannot_be_done_says_why(
    spec: ModelSpec, store: ModelStore, changed: Build, reason: Reason
) -> None:
    assert pulled(replace(spec, build=changed), store) == (PullState.FAILED, reason)


def test_a_source_that_is_no_graph_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(DomainError) as caught:
        build(path, {})
    assert caught.value.reason is Reason.MODEL_CORRUPT


def test_without_the_extra_the_way_to_it_is_told(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(spec.source, LocalFile)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "vidence_server.inference.building.fold_dequantize")
    with pytest.raises(DomainError, match=r"vidence\[models\]") as caught:
        build_model(spec, FOLD, spec.source.path)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks_are_dequantised_as_onnx_defines_it(block: int) -> None:
    values = np.arange(-6, 6, dtype=np.int8).reshape(2, 6)
    blocks = -(-6 // block)
    scales = np.linspace(0.1, 2, 2 * blocks, dtype=np.float32).reshape(2, blocks)
    zeros = np.arange(2 * blocks, dtype=np.int8).reshape(2, blocks)
    node = helper.make_node("DequantizeLinear", ["v", "s", "z"], ["y"], axis=1, block_size=block)
    assert np.allclose(dequantize(values, scales, zeros, 1, block), reference(node, values, scales, zeros))


def test_one_scale_holds_for_all_values() -> None:
    values = np.array([[3, 5]], np.int8)
    found = dequantize(values, np.array(0.5, np.float32), np.array([1], np.int8), 1, 0)
    assert found.tolist() == [[1.0, 2.0]]


def reference(node: onnx.NodeProto, *inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from onnx.reference import ReferenceEvaluator

    kinds = {np.dtype(np.int8): TensorProto.INT8, np.dtype(np.float32): TensorProto.FLOAT}
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info(name, kinds[array.dtype], array.shape)
            for name, array in zip(node.input, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    answers: Any = ReferenceEvaluator(model).run(None, dict(zip(node.input, inputs, strict=True)))
    return np.asarray(answers[0])


def test_the_pattern_of_a_check_fills_its_range_and_is_the_same_everywhere() -> None:
    found = pattern(CheckInput(shape=(2, 3), spread=(10.0, 20.0)))
    assert found.shape == (2, 3)
    assert found.ravel()[:3].tolist() == pytest.approx([10.0, 16.18034, 12.36068], abs=1e-4)
    assert found.dtype == np.float32
    assert 10 <= found.min() <= found.max() < 20


def test_a_file_that_is_no_graph_has_no_session(tmp_path: Path) -> None:
    import structlog

    spec = replace(model_spec(), format="json")
    with pytest.raises(DomainError, match="not a model to run") as caught:
        open_session(spec, tmp_path / "x.json", SessionSettings(), structlog.get_logger())
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
    assert ModelStore(tmp_path).place(spec).suffix == ".json"


def test_a_wheel_for_one_platform_is_downloaded_wherever_we_are() -> None:
    command = pip_command(Path("/r.txt"), Path("/d"), "manylinux_2_28_x86_64", "3.11")
    assert command[-6:] == (
        *("--implementation", "cp", "--python-version", "3.11"),
        *("--platform", "manylinux_2_28_x86_64"),
    )
