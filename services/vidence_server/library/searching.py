"""Searches: what is compared, how the rankings become one, and the hits page by page."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

import numpy as np

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.inference.engine import Priority
from vidence_server.library.domain.libraries import (
    Library,
    library_not_found,
    model_mismatch,
    model_unavailable,
)
from vidence_server.library.domain.searches import Hit, ScorePart, SearchMode, SearchPlan, SearchRequest
from vidence_server.library.indexes import VectorIndexes, check_vector
from vidence_server.library.ports import TextEmbedder
from vidence_server.library.search.filter_sql import condition
from vidence_server.library.search.fusion import Fused, Ranking, fuse
from vidence_server.library.search.index import Ids, IndexKind, Scores, Vectors
from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.library.store import libraries, reading
from vidence_server.storage.database import Database

_FIRST_PAGE = 50
_PAGE = 500
_PAGE_TEXT_HITS = 16
"""Hits of a page that brings texts: 16 of the longest are what a message may hold."""
_FUSED_AT_LEAST = 100
"""Hits of each ranking that are fused, at least."""


@dataclass(frozen=True, slots=True)
class Found:
    """A list of hits, without their contents."""

    library: Library
    request: SearchRequest
    plan: SearchPlan
    ids: Ids
    scores: Scores
    fused: Fused | None
    search_s: float


@dataclass(frozen=True, slots=True)
class _Ranked:
    ids: Ids
    scores: Scores
    fused: Fused | None = None
    kind: IndexKind | None = None


class Searching:
    """Searches libraries."""

    def __init__(
        self,
        database: Database,
        indexes: VectorIndexes,
        lexical: LexicalIndex,
        embedders: Mapping[str, TextEmbedder],
        clock: Clock,
    ) -> None:
        self._database = database
        self._indexes = indexes
        self._lexical = lexical
        self._embedders = embedders
        self._clock = clock
        self.searches: Counter[str] = Counter()
        """Since the start, by tenant. Bound: the tenants of the settings."""

    async def find(self, tenant: str, library_id: str, request: SearchRequest) -> Found:
        """Finds the list of hits.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, EMBEDDING_MODEL_MISMATCH, EMBEDDING_UNAVAILABLE, REQUEST_INVALID,
                QUEUE_FULL, STORAGE_FAILED.
        """
        started_s = self._clock.monotonic()
        async with self._database.snapshot() as snapshot:
            library = await libraries.find(snapshot, tenant, library_id)
            if library is None:
                raise library_not_found(library_id)
            allowed = None
            if request.filter is not None:
                allowed = await reading.filtered(snapshot, library.no, request.filter)
        self.searches[tenant] += 1
        mode = self._mode(library, request)
        ranked = await self._rank(library, request, mode, allowed)
        ids, scores = _above(ranked, request.minimum_score)
        plan = SearchPlan(
            mode=mode,
            index_kind=ranked.kind,
            model_id=library.model_id if ranked.kind is not None else "",
            filtered_count=None if allowed is None else len(allowed),
            hit_count=len(ids),
        )
        search_s = self._clock.monotonic() - started_s
        return Found(library, request, plan, ids, scores, ranked.fused, search_s)

    async def pages(self, found: Found) -> AsyncGenerator[list[Hit], None]:
        """The hits, several at a time: few at first, so that they come soon.

        The next are read while these are used; their reading ends with the generator.
        """
        ahead: asyncio.Task[list[Hit]] | None = None
        try:
            for start, end in _spans(len(found.ids), with_texts=found.request.include_text):
                # Not before the page in front of it is there, which is waited for.
                now = await ahead if ahead is not None else None
                ahead = asyncio.create_task(self._hits(found, start, end), name="hits")
                if now is not None:
                    yield now
            if ahead is not None:
                yield await ahead
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.wait({ahead})

    async def _hits(self, found: Found, start: int, end: int) -> list[Hit]:
        request, nos = found.request, found.ids[start:end].tolist()
        async with self._database.snapshot() as snapshot:
            rows = await reading.hits(
                snapshot,
                found.library.no,
                nos,
                metadata=request.include_metadata,
                text=request.include_text,
            )
        scores = found.scores[start:end].tolist()
        hits = []
        for place, (no, score) in enumerate(zip(nos, scores, strict=True), start):
            row = rows.get(no)
            if row is not None:  # else deleted meanwhile
                name, version, metadata, text = row
                parts = _parts(found, place, no) if request.explain else ()
                hits.append(Hit(place + 1, name, score, version, metadata, text, parts))
        return hits

    def _mode(self, library: Library, request: SearchRequest) -> SearchMode:
        if not request.query and request.vector is None:
            return SearchMode.ALL
        mode = request.mode
        if mode is None:
            semantic = library.spec.embedding is not None and (
                request.vector is not None or library.model_id in self._embedders
            )
            return SearchMode.SEMANTIC if semantic else SearchMode.LEXICAL
        if mode is not SearchMode.SEMANTIC and not request.query:
            raise DomainError(
                Reason.REQUEST_INVALID,
                "A search by words needs words.",
                fields=(FieldViolation("query", "is needed in this mode"),),
            )
        return mode

    async def _rank(
        self, library: Library, request: SearchRequest, mode: SearchMode, allowed: Ids | None
    ) -> _Ranked:
        match mode:
            case SearchMode.ALL:
                return await self._everything(library, request)
            case SearchMode.SEMANTIC:
                return await self._semantic(library, request, request.k, allowed)
            case SearchMode.LEXICAL:
                return await self._by_words(library, request, request.k)
            case SearchMode.HYBRID:
                depth = max(request.k, _FUSED_AT_LEAST)
                semantic = await self._semantic(library, request, depth, allowed)
                words = await self._by_words(library, request, depth)
                fused = fuse(
                    [
                        Ranking("semantic", semantic.ids, semantic.scores),
                        Ranking("lexical", words.ids, words.scores),
                    ],
                    request.k,
                )
                return _Ranked(fused.ids, fused.scores, fused, semantic.kind)
            case _:
                assert_never(mode)

    async def _everything(self, library: Library, request: SearchRequest) -> _Ranked:
        async with self._database.snapshot() as snapshot:
            ids = await reading.first_numbers(snapshot, library.no, request.k, request.filter)
        return _Ranked(ids, np.zeros(len(ids), np.float32))

    async def _semantic(
        self, library: Library, request: SearchRequest, k: int, allowed: Ids | None
    ) -> _Ranked:
        query = await self._query_vector(library, request)
        if query is None:
            return _Ranked(np.empty(0, np.int64), np.empty(0, np.float32))
        ids, scores, kind = await self._indexes.search(
            library, query, k, allowed=allowed, exact=request.exact
        )
        return _Ranked(ids, scores, kind=kind)

    async def _by_words(self, library: Library, request: SearchRequest, k: int) -> _Ranked:
        wanted = None if request.filter is None else condition(request.filter, library.no)
        async with self._database.snapshot() as snapshot:
            ids, scores = await self._lexical.search(snapshot, library.no, request.query, k, wanted)
        return _Ranked(ids, scores)

    async def _query_vector(self, library: Library, request: SearchRequest) -> Vectors | None:
        """float32 (D,); None: the query has no word."""
        embedding = library.spec.embedding
        if embedding is None:
            raise model_unavailable("")
        vector = request.vector
        if vector is not None:
            if (vector.model_id, vector.dimensions) != (embedding.model_id, embedding.dimensions):
                expected = f"{embedding.model_id}/{embedding.dimensions}"
                raise model_mismatch(expected, f"{vector.model_id}/{vector.dimensions}")
            check_vector(vector)
            return np.frombuffer(vector.data, "<f4")
        embedder = self._embedders.get(embedding.model_id)
        if embedder is None:
            raise model_unavailable(embedding.model_id)
        if not request.query.strip():
            return None
        made = await embedder.embed([request.query], priority=Priority.INTERACTIVE)
        return np.ascontiguousarray(made[0], np.float32)


def _spans(count: int, *, with_texts: bool) -> list[tuple[int, int]]:
    """Where each page of so many hits begins and ends."""
    first, size = (_PAGE_TEXT_HITS, _PAGE_TEXT_HITS) if with_texts else (_FIRST_PAGE, _PAGE)
    borders = [0, *range(first, count, size), count] if count > first else [0, count]
    return list(pairwise(borders)) if count else []


def _above(ranked: _Ranked, minimum: float | None) -> tuple[Ids, Scores]:
    if minimum is None:
        return ranked.ids, ranked.scores
    kept = ranked.scores >= np.float32(minimum)
    return ranked.ids[kept], ranked.scores[kept]


def _parts(found: Found, place: int, no: int) -> tuple[ScorePart, ...]:
    if found.fused is not None:
        return tuple(
            ScorePart(part.name, part.rank, part.score, part.contribution) for part in found.fused.explain(no)
        )
    if found.plan.mode is SearchMode.ALL:
        return ()
    score = float(found.scores[place])
    return (ScorePart(found.plan.mode.name.lower(), place + 1, score, score),)
