"""Models that are built when they are pulled: their published files do not run as they are.

One module per kind. It is imported only when a model of its kind is built: what it needs (`onnx`, the extra
`models`) is not needed by a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.builds import Build
from vidence_server.inference.registry import ModelSpec

_MODULES: Mapping[str, str] = {
    "bert-encoder": "bert_encoder",
    "fold-dequantize": "fold_dequantize",
    "int8-recogniser": "int8_recogniser",
    "latin-recogniser": "latin_recogniser",
}


class Builder(Protocol):
    """What a module of this package offers."""

    def build(self, source: Path, options: Mapping[str, Any]) -> bytes:
        """The ONNX file made of a checked source file; the same bytes each time with the same packages.

        Raises:
            DomainError: MODEL_CORRUPT, when the source is not what this kind is built from.
        """
        ...


def build_model(
    spec: ModelSpec, build: Build, source: Path, files: Mapping[str, Path] = MappingProxyType({})
) -> bytes:
    """Builds the file of a model and checks its outputs against the registered values.

    Args:
        spec: The model.
        build: How: `spec.build`.
        source: The source file, its hash checked.
        files: The build's further files, checked too; builders find them in their options as `files`.

    Returns:
        The ONNX file.

    Raises:
        DomainError: CONFIGURATION_INVALID (unknown kind, the extra `models` is not installed), MODEL_CORRUPT.
    """
    try:
        content = _builder(build.kind).build(source, {**build.options, "files": files})
        checking = import_module(f"{__name__}.checking")
    except ImportError as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"The model {spec.name!r} is built here, which needs the package {error.name}: install the extra "
            'with pip install "vidence[models]".',
        ) from error
    checking.check_outputs(spec.name, content, spec.checks)
    return content


def _builder(kind: str) -> Builder:
    if kind not in _MODULES:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"No build is called {kind!r}; known: {', '.join(_MODULES)}."
        )
    return cast(Builder, import_module(f"{__name__}.{_MODULES[kind]}"))
