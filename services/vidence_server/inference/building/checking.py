"""Does a built model compute what it should? A few registered outputs tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.builds import CheckInput, ModelCheck

_GOLDEN_FRACTION = 0.6180339887498949


def check_outputs(name: str, content: bytes, checks: Iterable[ModelCheck]) -> None:
    """Runs a model on registered inputs and compares the first values of an output.

    Args:
        name: Of the model, for the error.
        content: The ONNX file.
        checks: Inputs, expected values and tolerances.

    Raises:
        DomainError: MODEL_CORRUPT, when it cannot be loaded or run, or a value is off.
    """
    try:
        session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        for check in checks:
            inputs = {key: pattern(given) for key, given in check.inputs.items()}
            found = np.asarray(session.run([check.output], inputs)[0]).ravel()[: len(check.expected)]
            _compare(name, check, found)
    except DomainError:
        raise
    except Exception as error:
        raise DomainError(
            Reason.MODEL_CORRUPT,
            f"The built model {name!r} does not run ({type(error).__name__}).",
            metadata={"model": name},
        ) from error


def pattern(given: CheckInput) -> npt.NDArray[Any]:
    """The array of a check's input: literal values, or a sequence that fills a range evenly.

    The sequence is low + (high - low) · frac(i · (√5 - 1)/2) for i = 0, 1, 2, …: the same on every machine.
    """
    if given.values is not None:
        return np.asarray(given.values, given.dtype)
    low, high = given.spread
    fractions = np.modf(np.arange(np.prod(given.shape)) * _GOLDEN_FRACTION)[0]
    return np.asarray((low + (high - low) * fractions).reshape(given.shape), given.dtype)


def _compare(name: str, check: ModelCheck, found: npt.NDArray[Any]) -> None:
    expected = np.asarray(check.expected)
    off = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not off <= check.tolerance:  # also where it is not a number
        raise DomainError(
            Reason.MODEL_CORRUPT,
            f"The built model {name!r} is off by {off:.3g} at its output {check.output!r}; allowed is "
            f"{check.tolerance:.3g}.",
            metadata={"model": name},
        )
