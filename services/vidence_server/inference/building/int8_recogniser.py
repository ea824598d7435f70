"""A recogniser of Latin characters whose convolutions and matrices compute with 8-bit integers.

Static quantisation as ONNX Runtime describes it: activations uint8, weights int8 per channel, ranges
measured on rendered lines (`calibration`). Weights use 7 of the 8 bits: without VNNI the instruction that
adds pairs of products saturates with 8, and with VNNI the smaller range costs no time. Gelu and layer
normalisation are fused first and stay in float32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.building import calibration
from vidence_server.inference.building.latin_recogniser import latin_model

_OPSET = 20
"""The first that has Gelu as one operator."""
_UNFUSED = ["ConvActivationFusion", "ConvAddActivationFusion", "ConvMulFusion"]
"""Fusions after which the quantiser would not know a convolution any more."""
_LINE_WIDTH_PX = 320


def build(source: Path, options: Mapping[str, Any]) -> bytes:
    """The quantised recogniser.

    Args:
        source: Checked file of a PP-OCR recogniser.
        options: `lines`: how many calibration lines; `seed`: of their making; `files` as `latin_recogniser`.

    Raises:
        DomainError: MODEL_CORRUPT.
    """
    latin = latin_model(source, options)
    metadata = {entry.key: entry.value for entry in latin.metadata_props}
    images = calibration.lines(int(options["lines"]), _LINE_WIDTH_PX, int(options["seed"]))
    with tempfile.TemporaryDirectory(prefix="vidence-int8-") as scratch:
        fused, made = Path(scratch) / "fused.onnx", Path(scratch) / "int8.onnx"
        try:
            _fuse(version_converter.convert_version(latin, _OPSET), fused)
            quantize_static(
                fused,
                made,
                _Lines(images, latin.graph.input[0].name),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "MatMul"],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        except Exception as error:  # of ONNX's converter, of the quantiser, of the runtime
            raise DomainError(
                Reason.MODEL_CORRUPT, f"The recogniser cannot be quantised ({type(error).__name__})."
            ) from error
        model = onnx.load(made)
    onnx.helper.set_model_props(model, metadata)
    return model.SerializeToString(deterministic=True)


def _fuse(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model with Gelu, layer normalisation and constants folded."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=_UNFUSED
    )


class _Lines(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Calibration lines, one at a time."""

    def __init__(self, images: Iterator[calibration.Pixels], name: str) -> None:
        self._images = images
        self._name = name

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """The next input; None behind the last."""
        image = next(self._images, None)
        return None if image is None else {self._name: calibration.normalised(image)}
