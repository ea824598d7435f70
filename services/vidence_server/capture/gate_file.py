"""Reads the quality gates from their file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vidence_server.capture.domain.gates import Gate, Gates
from vidence_server.capture.domain.states import Target
from vidence_server.core.errors import DomainError, Reason

DEFAULT_FILE = Path(__file__).parent / "gates.toml"


class _GateLines(BaseModel):
    """The file as it is written."""

    model_config = ConfigDict(extra="forbid")
    face: Annotated[list[Gate], Field(min_length=1)]
    document: Annotated[list[Gate], Field(min_length=1)]


def load_gates(path: Path = DEFAULT_FILE) -> Gates:
    """The gates of every target.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    try:
        lines = TypeAdapter(_GateLines).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"Cannot read the quality gates {path}: {error}"
        ) from error
    document = tuple(lines.document)
    return {
        Target.FACE: tuple(lines.face),
        Target.DOCUMENT_FRONT: document,
        Target.DOCUMENT_BACK: document,
    }
