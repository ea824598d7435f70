"""Settings of the library service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.runtime.settings import Section


class LibrarySettings(Section):
    """How documents are kept, searched and followed."""

    queue_documents: int = Field(
        8192, ge=64, description="Documents that may wait to be committed; who brings more waits."
    )
    commit_documents: int = Field(500, ge=1, le=10_000, description="Documents per commit at most.")
    pgvector_from: int = Field(
        100_000,
        ge=1,
        description="Documents from which on an approximate library on PostgreSQL is searched by pgvector, "
        "in no process's memory.",
    )
    change_retention_days: float = Field(30, gt=0, description="How long changes can be followed, days.")
    export_retention_s: float = Field(
        3600, gt=0, description="How long an interrupted export can be resumed, seconds."
    )
    live_queries: int = Field(1000, ge=1, description="Live queries that may be open.")
    live_query_period_s: float = Field(
        0.1, ge=0.01, description="Shortest time between two results of a live query, seconds."
    )
