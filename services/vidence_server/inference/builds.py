"""How a model is made of its source file, and how the made file is checked: as data of the registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BuildFile:
    """A file that a build needs beside the source."""

    member: str
    """Its path in the source's package."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Build:
    """How a model is made of its source file when it is pulled; `inference.building` knows the kinds."""

    kind: str
    options: Mapping[str, Any]
    """For the builder, but `revision`: a number to raise when the same options give another file."""

    files: Mapping[str, BuildFile] = field(default_factory=dict)
    """Further files out of the source's package, by the name the builder knows them by."""

    @property
    def key(self) -> str:
        """Kind and options as a word for file names: another build gives another file."""
        told = json.dumps([self.kind, dict(self.options), *self._hashes()], sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def _hashes(self) -> list[dict[str, str]]:
        return [{name: file.sha256 for name, file in self.files.items()}] if self.files else []


@dataclass(frozen=True, slots=True)
class CheckInput:
    """An input of a check: `values`, or `shape` filled with values spread evenly over a range."""

    values: Any = None
    """Nested lists of numbers."""
    shape: tuple[int, ...] = ()
    spread: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest value."""
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What a built model must answer."""

    inputs: Mapping[str, CheckInput]
    output: str
    expected: tuple[float, ...]
    """The first values of the output, row by row."""
    tolerance: float
    """Largest absolute difference."""


def read_build(entry: Mapping[str, Any]) -> Build:
    """The `build` of a registry entry; raises KeyError where it has no kind."""
    options = {key: value for key, value in entry.items() if key not in ("kind", "files")}
    files = {name: BuildFile(**file) for name, file in entry.get("files", {}).items()}
    return Build(entry["kind"], options, files)


def read_check(entry: Mapping[str, Any]) -> ModelCheck:
    """One of the `checks` of a registry entry; raises KeyError or ValueError."""
    return ModelCheck(
        inputs={name: _read_input(given) for name, given in entry["inputs"].items()},
        output=entry["output"],
        expected=tuple(map(float, entry["expected"])),
        tolerance=float(entry["tolerance"]),
    )


def _read_input(entry: Mapping[str, Any]) -> CheckInput:
    match entry:
        case {"values": values}:
            return CheckInput(values=values, dtype=entry.get("dtype", "int64"))
        case {"shape": shape, "spread": [low, high]}:
            return CheckInput(
                shape=tuple(shape), spread=(float(low), float(high)), dtype=entry.get("dtype", "float32")
            )
    raise ValueError(f"an input of a check has values, or a shape and a spread, not {sorted(entry)}")
