"""Settings of the event service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vidence_server.runtime.settings import Section


class EventSettings(Section):
    """The bus: where its log is, how much of it is kept, and how much may wait."""

    database: Path | None = Field(
        None, description="File of the log; unset: `event.db` in the data folder. One process owns it."
    )
    retention_age_s: float | None = Field(
        30 * 86_400, gt=0, description="Events older than this are removed; unset: never for their age."
    )
    retention_events: int | None = Field(
        10_000_000, ge=1, description="Most events kept, the newest; unset: any number."
    )
    retention_bytes: int | None = Field(
        10 * 2**30, ge=1, description="Most bytes of encoded events kept, the newest; unset: any number."
    )
    queue_events: int = Field(
        65_536, ge=1, description="Events that may wait to be written; publishers of more are refused."
    )
    queue_bytes: int = Field(
        64 * 2**20, ge=2**16, description="Their encoded bytes; publishers of more are refused."
    )
    ring_events: int = Field(
        8192, ge=1, description="Newest events kept in memory for subscribers that keep up."
    )
    ring_bytes: int = Field(8 * 2**20, ge=2**16, description="Their encoded bytes.")
    reader_threads: int = Field(2, ge=1, le=16, description="Listings that are searched at the same time.")
    scan_limit: int = Field(
        200_000, ge=1000, description="Events that one page of a listing looks at before it ends unfilled."
    )
    page_bytes: int = Field(
        2 * 2**20, ge=2**16, le=16 * 2**20, description="Encoded events of one page of a listing, about."
    )
    statistics_period_s: float = Field(
        1.0, gt=0, description="How often the numbers are taken while somebody watches them."
    )
    statistics_kept: int = Field(100, ge=1, description="Snapshots of the numbers kept in memory.")
