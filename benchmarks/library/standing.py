"""From what was measured to the figures that are published."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from statistics import fmean, median
from typing import Any

from benchmarks.library.contenders import NUMPY, OURS, USEARCH
from benchmarks.library.contest import KS, Measured, Plan, Size
from benchmarks.library.service import Service
from benchmarks.report import Floor, table

DIRECT_CALL_LIMIT = 1.3
FIRST_HIT_LIMIT_MS = 20.0
RPC_LIMIT = 0.2
LARGE_K = KS[-1]
"""What is promised of hits through the RPC is promised of many; a search for few is over in milliseconds."""


def milliseconds(measured: Measured, name: str, size: Size, k: int) -> float:
    """Median over the rounds of the median over the queries."""
    rounds = measured.seconds.get((name, size, k), [])
    return 1000 * median(map(median, rounds)) if rounds else nan


def ratio(measured: Measured, name: str, other: str, size: Size, k: int) -> float:
    """Median over the rounds of one's median divided by the other's in the same round."""
    mine = measured.seconds.get((name, size, k), [])
    theirs = measured.seconds.get((other, size, k), [])
    quotients = [median(a) / median(b) for a, b in zip(mine, theirs, strict=False)]
    return median(quotients) if quotients else nan


def recall(measured: Measured, name: str, size: Size) -> float:
    """Mean share of numpy's hits, over all queries and both k; what ties leave open counts as missed."""
    shares = [share for k in KS for share in measured.recalls.get((name, size, k), [])]
    return fmean(shares) if shares else nan


def rows_per_s(measured: Measured, name: str, size: Size) -> float:
    """Vectors added per second."""
    told = measured.filled.get((name, size))
    return size.count / told["ingest_s"] if told and told["ingest_s"] else nan


def names(measured: Measured) -> list[str]:
    """The contenders in their order."""
    return list(dict.fromkeys(name for name, _ in measured.filled))


def floors(measured: Measured, plan: Plan, service: Service) -> list[Floor]:
    """What must hold; what was not measured does not."""
    direct = [
        Floor(
            f"search, {OURS} / {other}, {size}, k = {k}",
            ratio(measured, OURS, other, size, k),
            DIRECT_CALL_LIMIT,
            at_most=True,
        )
        for size in plan.sizes
        for k in KS
        for other in (NUMPY, USEARCH)
    ]
    exact = [Floor(f"recall of {OURS}, {size}", recall(measured, OURS, size), 0.999) for size in plan.sizes]
    first = [
        Floor(
            f"first hit of k = {LARGE_K} through the RPC, {size}, ms",
            service.searches.get((size, LARGE_K, "first_hit_ms"), nan),
            FIRST_HIT_LIMIT_MS,
            at_most=True,
        )
        for size in plan.served[:1]
    ]
    rpc = [
        Floor(
            f"RPC / in the process, minus 1, last hit of k = {LARGE_K}, {size}",
            service.searches.get((size, LARGE_K, "overhead"), nan),
            RPC_LIMIT,
            at_most=True,
        )
        for size in plan.served
    ]
    return [*direct, *exact, *first, *rpc]


def tables(measured: Measured, plan: Plan, service: Service) -> str:
    """The figures as Markdown."""
    return "\n\n".join(
        [
            "## Search, ms",
            search_table(measured, plan.sizes),
            "## Ingest and memory",
            ingest_table(measured, plan.sizes),
            "## Through the service",
            service_table(plan.served, service),
        ]
    )


def search_table(measured: Measured, sizes: Sequence[Size]) -> str:
    """Medians by size and k, and the recall."""
    head = ["index", *(f"{size}, k = {k}" for size in sizes for k in KS), "recall"]
    body = []
    for name in names(measured):
        recalls = [recall(measured, name, size) for size in sizes if (name, size) in measured.filled]
        cells = [_number(milliseconds(measured, name, size, k)) for size in sizes for k in KS]
        body.append([name, *cells, f"{min(recalls):.3f}"])
    return table(head, body)


def ingest_table(measured: Measured, sizes: Sequence[Size]) -> str:
    """Vectors per second, and what they take in memory and on disk."""
    head = ["index", *(f"{size}: {what}" for size in sizes for what in ("rows/s", "MB", "MB on disk"))]
    body = []
    for name in names(measured):
        cells = []
        for size in sizes:
            told = measured.filled.get((name, size), {})
            cells.append(_number(rows_per_s(measured, name, size)))
            cells += [_number(told.get(key, nan) / 1e6) for key in ("memory_bytes", "disk_bytes")]
        body.append([name, *cells])
    return table(head, body)


def service_table(sizes: Sequence[Size], service: Service) -> str:
    """What a client sees; empty cells were not measured."""
    searched = {
        "first hit through the RPC, ms": "first_hit_ms",
        "last hit through the RPC, ms": "last_hit_ms",
        "last hit in the process, ms": "in_process_ms",
        "RPC / in the process, minus 1": "overhead",
        "the same of the server's processor time": "cpu_overhead",
    }
    moved = {
        "ingest of documents with vectors, rows/s": "ingest_rows_per_s",
        "export with vectors, MB/s": "export_mb_per_s",
        "export without vectors, MB/s": "export_plain_mb_per_s",
        "memory of the server, MB": "memory_mb",
    }
    body = [
        [f"k = {k}, {name}", *(_number(service.searches.get((size, k, key), nan)) for size in sizes)]
        for k in KS
        for name, key in searched.items()
    ]
    body += [
        [name, *(_number(service.figures.get((size, key), nan)) for size in sizes)]
        for name, key in moved.items()
    ]
    return table(["service", *map(str, sizes)], body)


def as_json(measured: Measured, service: Service) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "filled": {f"{name}, {size}": dict(told) for (name, size), told in measured.filled.items()},
        "seconds": {
            f"{name}, {size}, k = {k}": rounds for (name, size, k), rounds in measured.seconds.items()
        },
        "recall": {f"{name}, {size}": recall(measured, name, size) for name, size in measured.filled},
        "service": {
            **{f"{size}, {name}": value for (size, name), value in service.figures.items()},
            **{f"{size}, k = {k}, {name}": value for (size, k, name), value in service.searches.items()},
        },
    }


def _number(value: float) -> str:
    if value != value or value == 0:  # noqa: PLR0124  # NaN: not measured, or none
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
