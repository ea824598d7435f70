"""Weights that are stored as integers become the float32 constants they stand for.

Files such as opencv_zoo's `*_int8bq.onnx` keep weights as int8 with one scale per block and dequantise
them in the graph. ONNX Runtime refuses their layout, and would compute the same constants anew at each start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper, shape_inference

from vidence_server.core.errors import DomainError, Reason

_OLDEST_IR = 8
"""ONNX Runtime takes constants that are no inputs from IR version 4 on; 8 belongs to opset 15 and later."""


def build(source: Path, options: Mapping[str, Any]) -> bytes:
    """Folds the DequantizeLinear and Reshape nodes of constants into constants.

    Args:
        source: An ONNX file.
        options: `dynamic`: by input name, the axes whose length becomes free.

    Returns:
        The ONNX file in float32; Dropout is left out, and weights are no inputs any more.

    Raises:
        DomainError: MODEL_CORRUPT.
    """
    try:
        model = onnx.load(source)
        _fold(model.graph)
        _free_axes(model.graph, options.get("dynamic", {}))
        model.ir_version = max(model.ir_version, _OLDEST_IR)
        model = shape_inference.infer_shapes(model, strict_mode=True)
        del model.graph.value_info[:]
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf's decoder, of ONNX's checker, of numpy
        raise DomainError(
            Reason.MODEL_CORRUPT, f"The source cannot be folded ({type(error).__name__})."
        ) from error
    return model.SerializeToString(deterministic=True)


def dequantize(
    values: npt.NDArray[Any], scale: npt.NDArray[Any], zero: npt.NDArray[Any] | None, axis: int, block: int
) -> npt.NDArray[np.float32]:
    """(values - zero) · scale, by the rules of ONNX's DequantizeLinear, version 21.

    Args:
        values: Integers of any shape.
        scale: One value; or (values.shape[axis],) for one per slice; or, with `block`, as `values` but with
            ceil(length / block) along the axis.
        zero: As `scale`; None: 0.
        axis: Where slices or blocks lie.
        block: Values per scale along the axis; 0: not blocked.
    """

    def spread(factors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        if factors.size == 1:
            return factors.reshape(()).astype(np.float32)
        if block:
            repeated = np.repeat(factors, block, axis=axis)
            return repeated.take(range(values.shape[axis]), axis=axis).astype(np.float32)
        shape = [1] * values.ndim
        shape[axis] = -1
        return factors.reshape(shape).astype(np.float32)

    shifted = values.astype(np.float32)
    if zero is not None:
        shifted = shifted - spread(zero)
    return np.asarray(shifted * spread(scale), np.float32)


def _fold(graph: onnx.GraphProto) -> None:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        folded = _folded(node, constants)
        if folded is not None:
            constants[node.output[0]] = folded
        elif node.op_type == "Dropout":
            kept.append(onnx.helper.make_node("Identity", node.input[:1], node.output[:1], name=node.name))
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    outputs = {output.name for output in graph.output}
    _replace(graph.node, [node for node in kept if not (used | outputs).isdisjoint(node.output)])
    _replace(
        graph.initializer,
        [numpy_helper.from_array(array, name) for name, array in constants.items() if name in used],
    )
    _replace(graph.input, [given for given in graph.input if given.name in used - constants.keys()])
    del graph.value_info[:]


def _folded(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    """What a node gives, where its inputs are constants and it only unpacks weights; else None."""
    if node.op_type not in ("DequantizeLinear", "Reshape"):
        return None
    inputs = [constants.get(name) for name in node.input]
    if inputs[0] is None or inputs[1] is None or any(array is None for array in inputs):
        return None
    if node.op_type == "Reshape":
        return inputs[0].reshape(inputs[1].tolist())
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    zero = inputs[2] if len(inputs) > 2 else None
    return dequantize(inputs[0], inputs[1], zero, attributes.get("axis", 1), attributes.get("block_size", 0))


def _free_axes(graph: onnx.GraphProto, dynamic: Mapping[str, list[int]]) -> None:
    by_name = {given.name: given for given in graph.input}
    for name, axes in dynamic.items():
        for axis in axes:
            by_name[name].type.tensor_type.shape.dim[axis].dim_param = f"{name}_{axis}"
    if dynamic:
        # What the outputs' shapes are now is inferred anew.
        for output in graph.output:
            output.type.tensor_type.ClearField("shape")


def _replace(repeated: Any, items: list[Any]) -> None:
    """Sets a repeated field of a message."""
    del repeated[:]
    repeated.extend(items)
