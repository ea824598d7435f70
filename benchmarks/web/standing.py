"""The figures of a run, and what they must reach."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Floor, table

BUNDLE_LIMIT_BYTES = 250_000
LONG_TASK_MS = 50.0


@dataclass(frozen=True, slots=True)
class Feed:
    """One round of the busy feed."""

    seconds: float
    events: int
    """Published while the feed was watched."""
    shown: int
    """Of them in the feed at the end."""
    long_tasks_ms: tuple[float, ...]
    """Tasks over 50 ms meanwhile."""
    frames: int

    @property
    def longest_ms(self) -> float:
        """0: no task was over 50 ms."""
        return max(self.long_tasks_ms, default=0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen in the browser."""

    latency_ms: tuple[float, ...]
    """Publish until the row is in the page, one per event."""
    streams_ms: tuple[float, ...]
    """Twelve streams opened at once over HTTP/2: until each is live."""
    feeds: tuple[Feed, ...]
    bundle_bytes: int
    """Everything that the first page loads, gzip."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least this share of all at or below it; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def bundle_bytes(dist: Path) -> int:
    """What the scripts and styles weigh on the wire."""
    files = [path for kind in ("*.js", "*.css") for path in (dist / "assets").glob(kind)]
    return sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in files)


def floors(measured: Measured) -> list[Floor]:
    """What issue and specification ask for."""
    longest = max(feed.longest_ms for feed in measured.feeds)
    lost = sum(feed.events - feed.shown for feed in measured.feeds)
    return [
        Floor("bundle, kB gzip", measured.bundle_bytes / 1000, BUNDLE_LIMIT_BYTES / 1000, at_most=True),
        Floor("longest task of the feed, ms", longest, LONG_TASK_MS, at_most=True),
        Floor("events that the feed lost", lost, 0, at_most=True),
        Floor("streams that are live of twelve", len(measured.streams_ms), 12),
    ]


def as_json(measured: Measured) -> dict[str, Any]:
    """The figures for programs."""
    feeds = measured.feeds
    return {
        "publish_to_dom_ms": {
            f"p{round(share * 100)}": round(percentile(measured.latency_ms, share), 1)
            for share in (0.5, 0.95, 1.0)
        },
        "streams_live_ms": {
            "first": round(min(measured.streams_ms, default=math.nan), 1),
            "last": round(max(measured.streams_ms, default=math.nan), 1),
        },
        "feed": {
            "rounds": len(feeds),
            "events_per_s": round(median(feed.events / feed.seconds for feed in feeds), 1),
            "events": sum(feed.events for feed in feeds),
            "shown": sum(feed.shown for feed in feeds),
            "long_tasks": [len(feed.long_tasks_ms) for feed in feeds],
            "longest_task_ms": [round(feed.longest_ms, 1) for feed in feeds],
            "frames_per_s": round(median(feed.frames / feed.seconds for feed in feeds), 1),
        },
        "bundle_gzip_bytes": measured.bundle_bytes,
    }


def as_table(measured: Measured) -> str:
    """The figures for people."""
    told = as_json(measured)
    latency, streams, feed = told["publish_to_dom_ms"], told["streams_live_ms"], told["feed"]
    rows = [
        ("publish → row in the page, p50 / p95 / worst, ms", " / ".join(map(str, latency.values()))),
        ("twelve streams opened at once: first / last live, ms", " / ".join(map(str, streams.values()))),
        ("feed: events per second", str(feed["events_per_s"])),
        ("feed: events published / shown", f"{feed['events']} / {feed['shown']}"),
        ("feed: tasks over 50 ms in each round", " · ".join(map(str, feed["long_tasks"]))),
        ("feed: longest of them in each round, ms", " · ".join(map(str, feed["longest_task_ms"]))),
        ("feed: frames per second", str(feed["frames_per_s"])),
        ("scripts and styles, kB gzip", f"{measured.bundle_bytes / 1000:.1f}"),
    ]
    return table(["measured", "value"], rows)
