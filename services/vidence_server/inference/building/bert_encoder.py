"""BERT with mean pooling as one ONNX graph, built from the published weights of a sentence encoder.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2018); the pooling is that of Reimers
and Gurevych, "Sentence-BERT" (2019). One text at a time and no second segment: its embedding is a constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file

from vidence_server.core.errors import DomainError, Reason

_OPSET = 20  # the first one with Gelu
_IR_VERSION = 9
_MASKED = -1e9
"""Added to the attention of padding: the softmax leaves nothing of it, and no NaN where all is padding."""

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the weights do not tell."""

    layers: int
    heads: int
    epsilon: float
    """Of the layer normalisations."""


def build(source: Path, options: Mapping[str, Any]) -> bytes:
    """The encoder: `input_ids`, `attention_mask`, int64 (N, L); to `embedding`, float32 (N, D), of length 1.

    Args:
        source: The weights (safetensors), named as transformers names them.
        options: `layers`, `heads`, `layer_norm_epsilon`.

    Raises:
        DomainError: MODEL_CORRUPT, when the weights are not those of such an encoder.
    """
    shape = _Shape(int(options["layers"]), int(options["heads"]), float(options["layer_norm_epsilon"]))
    try:
        return _Graph(load_file(source), shape).model().SerializeToString(deterministic=True)
    except (SafetensorError, KeyError, ValueError) as error:
        raise DomainError(
            Reason.MODEL_CORRUPT,
            f"The weights are not those of a BERT with {shape.layers} layers ({type(error).__name__}).",
        ) from error


class _Graph:
    """The graph while it is made: nodes and constants. Methods take and give names of tensors."""

    def __init__(self, weights: Weights, shape: _Shape) -> None:
        self._weights = weights
        self._shape = shape
        self._hidden = weights["embeddings.word_embeddings.weight"].shape[1]
        if self._hidden % shape.heads:
            raise ValueError("the heads do not divide the hidden size")
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        """The whole."""
        hidden = self._embedded()
        mask = self._attention_mask()
        for number in range(self._shape.layers):
            hidden = self._layer(hidden, mask, f"encoder.layer.{number}")
        self._pooled(hidden)
        tokens = ["N", "L"]
        graph = helper.make_graph(
            self._nodes,
            "bert-encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", self._hidden])],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="vidence",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        onnx.checker.check_model(model)
        return model

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _integers(self, *values: int) -> str:
        name = "ints_" + "_".join(map(str, values))
        return self._constant(name, np.array(values, np.int64))

    def _number(self, value: float) -> str:
        return self._constant(f"number_{value}", np.array(value, np.float32))

    def _embedded(self) -> str:
        """Words, positions and the first segment, summed and normalised: (N, L, D)."""
        words = self._constant("words", self._weights["embeddings.word_embeddings.weight"])
        segment = self._weights["embeddings.token_type_embeddings.weight"][0]
        places = self._weights["embeddings.position_embeddings.weight"] + segment
        length = self._node("Shape", "input_ids", start=1, end=2)
        used = self._node(
            "Slice", self._constant("places", places), self._integers(0), length, self._integers(0)
        )
        summed = self._node("Add", self._node("Gather", words, "input_ids"), used)
        return self._normalised(summed, "embeddings.LayerNorm")

    def _attention_mask(self) -> str:
        """What is added to the attention: 0 for tokens, `_MASKED` for padding, (N, 1, 1, L)."""
        mask = self._node("Cast", "attention_mask", output="mask", to=TensorProto.FLOAT)
        padding = self._node("Sub", self._number(1.0), mask)
        added = self._node("Mul", padding, self._number(_MASKED))
        return self._node("Unsqueeze", added, self._integers(1, 2))

    def _layer(self, hidden: str, mask: str, name: str) -> str:
        attention = f"{name}.attention"
        joined = self._attended(hidden, mask, f"{attention}.self")
        projected = self._dense(joined, f"{attention}.output.dense")
        between = self._normalised(self._node("Add", projected, hidden), f"{attention}.output.LayerNorm")
        wide = self._node("Gelu", self._dense(between, f"{name}.intermediate.dense"))
        narrow = self._dense(wide, f"{name}.output.dense")
        return self._normalised(self._node("Add", narrow, between), f"{name}.output.LayerNorm")

    def _attended(self, hidden: str, mask: str, name: str) -> str:
        """Softmax(Q Kᵀ / √d + mask) V, all heads, joined: (N, L, D)."""
        size = self._hidden // self._shape.heads
        # Queries are scaled in the weights: one multiplication less for every pair of tokens.
        queries = self._heads(hidden, f"{name}.query", (0, 2, 1, 3), scale=1 / math.sqrt(size))
        keys = self._heads(hidden, f"{name}.key", (0, 2, 3, 1))
        values = self._heads(hidden, f"{name}.value", (0, 2, 1, 3))
        weights = self._node("Softmax", self._node("Add", self._node("MatMul", queries, keys), mask), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", weights, values), perm=[0, 2, 1, 3])
        return self._node("Reshape", mixed, self._integers(0, 0, self._hidden))

    def _heads(self, hidden: str, name: str, order: tuple[int, ...], *, scale: float = 1.0) -> str:
        projected = self._dense(hidden, name, scale=scale)
        size = self._hidden // self._shape.heads
        split = self._node("Reshape", projected, self._integers(0, 0, self._shape.heads, size))
        return self._node("Transpose", split, perm=list(order))

    def _dense(self, values: str, name: str, *, scale: float = 1.0) -> str:
        factor = np.float32(scale)
        weight = self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T * factor)
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"] * factor)
        return self._node("Add", self._node("MatMul", values, weight), bias)

    def _normalised(self, values: str, name: str) -> str:
        scale = self._constant(f"{name}.weight", self._weights[f"{name}.weight"])
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node("LayerNormalization", values, scale, bias, epsilon=self._shape.epsilon)

    def _pooled(self, hidden: str) -> None:
        """The mean over the tokens, padding left out, made a vector of length 1."""
        mask = self._node("Unsqueeze", "mask", self._integers(2))
        tokens = self._node("ReduceSum", self._node("Mul", hidden, mask), self._integers(1), keepdims=0)
        count = self._node("ReduceSum", "mask", self._integers(1), keepdims=1)
        mean = self._node("Div", tokens, self._node("Max", count, self._number(1.0)))
        length = self._node("ReduceL2", mean, self._integers(1), keepdims=1)
        self._node("Div", mean, self._node("Max", length, self._number(1e-12)), output="embedding")
