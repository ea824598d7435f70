"""A recogniser that knows the Latin script only: its last layer is cut to the classes of those characters.

PP-OCR's recognisers end in a matrix of one column a character, most of them Chinese. Without those columns a
line costs a tenth less, the file halves, and nothing else changes: what is left gets the same scores, before
the softmax shares them out among fewer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from vidence_server.core.errors import DomainError, Reason

METADATA_KEY = "character"
"""Where a recogniser lists its characters, one a line; blank and space are not listed."""
_LATIN_END = 0x250
"""Behind Basic Latin, Latin-1, the extensions A and B: what European languages write in Latin letters."""
_MARKS_END = 0x2200
"""Behind punctuation, currencies, letter-like symbols and arrows; mathematics begins here."""


def build(source: Path, options: Mapping[str, Any]) -> bytes:
    """The recogniser with Latin characters only.

    Args:
        source: Checked file of a PP-OCR recogniser.
        options: `files.dictionary`: path of its characters, one a line, where the model does not list them.

    Raises:
        DomainError: MODEL_CORRUPT.
    """
    return latin_model(source, options).SerializeToString(deterministic=True)


def latin_model(source: Path, options: Mapping[str, Any]) -> onnx.ModelProto:
    """As `build`, but the model itself."""
    try:
        model = onnx.load(source)
    except Exception as error:  # of protobuf's decoder
        raise _corrupt("is no ONNX model") from error
    listed = _dictionary(model, options)
    kept = [place for place, text in enumerate(listed) if is_latin(text)]
    # class 0 is the blank, the last one the space
    classes = np.array([0, *(place + 1 for place in kept), len(listed) + 1])
    _cut_last_layer(model.graph, classes, len(listed) + 2)
    del model.graph.value_info[:]  # shapes of the whole vocabulary
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, "\n".join(listed[place] for place in kept)
    return model


def is_latin(text: str) -> bool:
    """Whether an entry of a dictionary is a Latin letter, a European digit, or a mark found beside them."""
    if len(text) != 1:
        return False
    if ord(text) < _LATIN_END:
        return True
    return ord(text) < _MARKS_END and unicodedata.category(text)[0] in "PS"


def _dictionary(model: onnx.ModelProto, options: Mapping[str, Any]) -> Sequence[str]:
    path = options.get("files", {}).get("dictionary")
    if path is not None:
        listed = Path(path).read_text(encoding="utf-8")
    else:
        listed = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), "")
    if not listed:
        raise _corrupt("lists no characters")
    return listed.removesuffix("\n").split("\n")


def _cut_last_layer(graph: onnx.GraphProto, classes: npt.NDArray[np.int64], whole: int) -> None:
    """Keeps some columns of the matrix and of the bias before the softmax that is the model's output."""
    made_by = {output: node for node in graph.node for output in node.output}
    softmax = made_by.get(graph.output[0].name)
    if softmax is None or softmax.op_type != "Softmax":
        raise _corrupt("does not end in a softmax")
    bias_node = _origin(made_by, softmax.input[0])
    if bias_node is None or bias_node.op_type != "Add":
        raise _corrupt("has no bias before the softmax")
    weights = {tensor.name: tensor for tensor in graph.initializer}
    matrix_node = next(
        (found for name in bias_node.input if (found := _origin(made_by, name)) is not None), None
    )
    if matrix_node is None or matrix_node.op_type != "MatMul":
        raise _corrupt("has no matrix before the softmax")
    names = [name for node in (bias_node, matrix_node) for name in node.input if name in weights]
    for name in names:
        values = numpy_helper.to_array(weights[name])
        if values.shape[-1] != whole:
            raise _corrupt("has another number of classes than characters")
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values[..., classes]), name))
    graph.output[0].type.tensor_type.shape.dim[-1].dim_value = len(classes)


def _origin(made_by: Mapping[str, onnx.NodeProto], name: str) -> onnx.NodeProto | None:
    """The node that a value comes from, behind any that only hand it on."""
    node = made_by.get(name)
    while node is not None and node.op_type == "Identity":
        node = made_by.get(node.input[0])
    return node


def _corrupt(what: str) -> DomainError:
    return DomainError(Reason.MODEL_CORRUPT, f"The recogniser to be built from {what}.")
