"""Faces that a library holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vidence_server.core.errors import DomainError, Reason


@dataclass(frozen=True, slots=True)
class FaceModel:
    """What made a template; those of different models or versions are never compared."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class FaceTemplate:
    """Numbers that stand for a face."""

    model: FaceModel
    data: bytes
    """float32, little-endian."""


@dataclass(frozen=True, slots=True)
class Face:
    """A template that is kept, without its numbers."""

    face_id: str
    subject_id: str
    model: FaceModel
    create_time: datetime


@dataclass(frozen=True, slots=True)
class FaceHit:
    """A subject that was found, by its best template."""

    rank: int
    subject_id: str
    face_id: str
    score: float


@dataclass(frozen=True, slots=True)
class FaceSearchResult:
    """Who was found, among how many."""

    hits: Sequence[FaceHit]
    compared_count: int
    other_model_count: int


def face_exists() -> DomainError:
    """The id has another template."""
    return DomainError(Reason.FACE_EXISTS, "There is another template with this id.")


def subject_not_found() -> DomainError:
    """The library has no template of this subject."""
    return DomainError(Reason.SUBJECT_NOT_FOUND, "There is no template of this subject in the library.")
