"""BERT with mean pooling in plain numpy, one text at a time: the reference of the built graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, npt.NDArray[Any]]


def random_weights(*, layers: int, hidden: int, words: int, places: int, seed: int = 1) -> dict[str, Any]:
    """Weights of a small encoder, named as transformers names them."""
    random = np.random.default_rng(seed)

    def some(*shape: int) -> npt.NDArray[np.float32]:
        return random.standard_normal(shape, dtype=np.float32) / np.float32(math.sqrt(shape[-1]))

    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (words, hidden),
        "embeddings.position_embeddings.weight": (places, hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        denses = {
            f"{layer}.attention.self.{name}": (hidden, hidden) for name in ("query", "key", "value")
        } | {
            f"{layer}.attention.output.dense": (hidden, hidden),
            f"{layer}.intermediate.dense": (4 * hidden, hidden),
            f"{layer}.output.dense": (hidden, 4 * hidden),
        }
        for name, shape in denses.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    return {name: some(*shape) for name, shape in shapes.items()}


def embedding(weights: Weights, tokens: Sequence[int], *, layers: int, heads: int, epsilon: float) -> Array:
    """The vector of one text without padding, by the formulas of the papers."""

    def dense(values: Array, name: str) -> Array:
        result: Array = values @ weights[f"{name}.weight"].astype(float).T + weights[f"{name}.bias"]
        return result

    def norm(values: Array, name: str) -> Array:
        centred = values - values.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
        result: Array = centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return result

    def softmax(values: Array) -> Array:
        grown = np.exp(values - values.max(axis=-1, keepdims=True))
        result: Array = grown / grown.sum(axis=-1, keepdims=True)
        return result

    gelu = np.vectorize(lambda value: value * 0.5 * (1 + math.erf(value / math.sqrt(2))))
    hidden = (
        weights["embeddings.word_embeddings.weight"][list(tokens)].astype(float)
        + weights["embeddings.position_embeddings.weight"][: len(tokens)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = norm(hidden, "embeddings.LayerNorm")
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        queries, keys, values = (
            np.split(dense(hidden, f"{layer}.attention.self.{name}"), heads, axis=1)
            for name in ("query", "key", "value")
        )
        mixed = [
            softmax(q @ k.T / math.sqrt(q.shape[1])) @ v
            for q, k, v in zip(queries, keys, values, strict=True)
        ]
        attended = dense(np.concatenate(mixed, axis=1), f"{layer}.attention.output.dense")
        hidden = norm(hidden + attended, f"{layer}.attention.output.LayerNorm")
        inner = dense(gelu(dense(hidden, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        hidden = norm(hidden + inner, f"{layer}.output.LayerNorm")
    mean = hidden.mean(axis=0)
    result: Array = mean / np.linalg.norm(mean)
    return result
