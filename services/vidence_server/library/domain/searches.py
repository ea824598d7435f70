"""Searches and hits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from vidence_server.library.domain.documents import Vector
from vidence_server.library.search.filters import Filter
from vidence_server.library.search.index import IndexKind


class SearchMode(IntEnum):
    """What is compared; the numbers are those of the proto."""

    ALL = 0
    """Nothing: what the filter lets through, in the order in which it was created."""
    SEMANTIC = 1
    LEXICAL = 2
    HYBRID = 3


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Which list of hits is wanted."""

    query: str = ""
    vector: Vector | None = None
    k: int = 10
    mode: SearchMode | None = None
    """None: as `SearchOptions.mode` states."""
    filter: Filter | None = None
    minimum_score: float | None = None
    exact: bool = False
    """Compare every vector, whatever the library's index is."""
    include_metadata: bool = False
    include_text: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is known before the first hit."""

    mode: SearchMode
    index_kind: IndexKind | None
    """None: no vectors are compared."""
    model_id: str
    filtered_count: int | None
    """None: there is no filter."""
    hit_count: int


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One ranking's part in a score."""

    ranking: str
    rank: int
    score: float
    contribution: float


class Hit(NamedTuple):
    """A document that was found; a tuple, as thousands are made for one search."""

    rank: int
    document_id: str
    score: float
    version: int
    metadata_json: str | None
    text: str | None
    parts: tuple[ScorePart, ...]
