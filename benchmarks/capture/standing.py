"""From what was measured to the figures that are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, nan

from benchmarks.report import Floor, table

HOLDS = 0.95
"""Share of the frames that must be looked at for a load to count as held."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many cameras at that speed, the server on so many cores."""

    sessions: int
    fps: float
    cores: int

    def __str__(self) -> str:
        return f"{self.sessions} × {self.fps:g} fps, {self.cores} core{'s' if self.cores > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a load."""

    load: Load
    frames: int
    processed: int
    superseded: int
    failed: int
    p50_ms: float
    """From pushing a frame to its verdict, over gRPC."""
    p95_ms: float
    model_ms: float
    """Model runs per frame that was looked at."""
    other_ms: float
    """Other steps in the workers per such frame: decoding, measuring."""
    cpu_ms: float
    """Processor time of the server's process per such frame: all of it, the loop and gRPC too."""
    cpu_share: float
    """Processor time of the server, in cores."""

    @property
    def processed_share(self) -> float:
        """Of all frames, 0–1."""
        return self.processed / self.frames if self.frames else 0.0

    @property
    def holds(self) -> bool:
        """Whether the server keeps up."""
        return self.processed_share >= HOLDS and not self.failed


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; NaN of nothing."""
    ranked = sorted(values)
    return ranked[max(0, ceil(share * len(ranked)) - 1)] if ranked else nan


def sessions_held(measured: Sequence[Measured], *, fps: float, cores: int) -> int:
    """How many sessions of a speed the cores hold, as far as it was tried; 0: not one."""
    same = [one for one in measured if one.load.fps == fps and one.load.cores == cores]
    broken = min((one.load.sessions for one in same if not one.holds), default=None)
    held = [one.load.sessions for one in same if one.holds]
    return max((count for count in held if broken is None or count < broken), default=0)


FLOORS = (Load(1, 30, 1), Load(8, 5, 2))
"""Loads that must be held."""


def floors(measured: Sequence[Measured]) -> list[Floor]:
    """What must hold; what was not measured does not."""
    by_load = {one.load: one for one in measured}
    return [
        Floor(
            f"frames looked at, {load}",
            by_load[load].processed_share if load in by_load and not by_load[load].failed else nan,
            HOLDS,
        )
        for load in FLOORS
    ]


def loads_table(measured: Sequence[Measured]) -> str:
    """The figures as Markdown."""
    times = ["p50 ms", "p95 ms", "model ms", "other steps ms", "CPU ms"]
    head = ["sessions", "looked at", *times, "server's cores"]
    return table(
        head,
        (
            [
                str(one.load),
                f"{one.processed_share:.1%}",
                f"{one.p50_ms:.1f}",
                f"{one.p95_ms:.1f}",
                f"{one.model_ms:.1f}",
                f"{one.other_ms:.1f}",
                f"{one.cpu_ms:.1f}",
                f"{one.cpu_share:.2f}",
            ]
            for one in measured
        ),
    )


def as_json(measured: Sequence[Measured]) -> list[dict[str, object]]:
    """The figures for programs."""
    return [asdict(one) | {"holds": one.holds} for one in measured]
