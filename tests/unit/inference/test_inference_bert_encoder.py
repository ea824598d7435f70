"""The encoder that is built of published weights computes what the papers say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from fakes.bert import embedding, random_weights
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.building.bert_encoder import build
from vidence_server.inference.registry import load_registry

pytestmark = pytest.mark.requirement("R-LI2")

OPTIONS = {"layers": 2, "heads": 3, "layer_norm_epsilon": 1e-12}
TEXTS = st.lists(st.lists(st.integers(0, 29), min_size=1, max_size=16), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return random_weights(layers=2, hidden=12, words=30, places=16)


@pytest.fixture(scope="module")
def session(weights: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ort.InferenceSession:
    source = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(dict(weights), source)
    content = build(source, OPTIONS)
    assert content == build(source, OPTIONS), "the same source gives the same file"
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def test_a_batch_of_any_lengths_gives_the_vectors_of_the_reference(
    session: ort.InferenceSession, weights: Mapping[str, Any]
) -> None:
    @given(texts=TEXTS, padding=st.integers(0, 3))
    @settings(max_examples=40, deadline=None)
    def check(texts: list[list[int]], padding: int) -> None:
        width = min(16, max(map(len, texts)) + padding)
        tokens = np.full((len(texts), width), 29, np.int64)
        mask = np.zeros_like(tokens)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        (found,) = session.run(None, {"input_ids": tokens, "attention_mask": mask})
        for row, text in enumerate(texts):
            right = embedding(weights, text, layers=2, heads=3, epsilon=1e-12)
            assert found[row] == pytest.approx(right, abs=2e-5)

    check()


def test_the_vectors_have_length_one(session: ort.InferenceSession) -> None:
    tokens = np.arange(30, dtype=np.int64).reshape(5, 6)
    (found,) = session.run(None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert found.shape == (5, 12)


def test_padding_alone_gives_no_numbers_that_are_none(session: ort.InferenceSession) -> None:
    tokens = np.zeros((2, 4), np.int64)
    (found,) = session.run(None, {"input_ids": tokens, "attention_mask": tokens})
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("left_out", "changed"),
    [("encoder.layer.1.output.dense.bias", {}), ("", {"heads": 5}), ("", {"layers": 3})],
)
def test_weights_of_something_else_are_refused(
    weights: Mapping[str, Any], tmp_path: Path, left_out: str, changed: Mapping[str, int]
) -> None:
    source = tmp_path / "model.safetensors"
    save_file({name: value for name, value in weights.items() if name != left_out}, source)
    with pytest.raises(DomainError) as caught:
        build(source, {**OPTIONS, **changed})
    assert caught.value.reason is Reason.MODEL_CORRUPT


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "model.safetensors"
    source.write_bytes(b"nothing of this kind")
    with pytest.raises(DomainError) as caught:
        build(source, OPTIONS)
    assert caught.value.reason is Reason.MODEL_CORRUPT


def test_the_registered_encoder_is_checked_when_it_is_built() -> None:
    spec = load_registry()["text-embedder"]
    assert spec.build is not None
    assert spec.build.kind == "bert-encoder"
    assert [check.output for check in spec.checks] == ["embedding", "embedding"]
    assert all(check.tolerance <= 1e-4 and len(check.expected) >= 8 for check in spec.checks)
