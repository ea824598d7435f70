"""Measures where the time of one reading goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vidence_server.core.clock import Clock
from vidence_server.extraction.domain.events import LatencyBudget, Stage, StageLatency


@dataclass(slots=True)
class _Span:
    begin_s: float
    end_s: float
    steps: int


class Stopwatch:
    """Started when the request arrives; stages may overlap and repeat."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_s = clock.monotonic()
        self._first_field_s: float | None = None
        self._spans: dict[Stage, _Span] = {}

    @contextmanager
    def step(self, stage: Stage) -> Iterator[None]:
        """Counts what happens inside as one step of `stage`, also when it fails."""
        begin_s = self._clock.monotonic()
        span = self._spans.setdefault(stage, _Span(begin_s, begin_s, 0))
        try:
            yield
        finally:
            span.end_s = self._clock.monotonic()
            span.steps += 1

    def field_read(self) -> None:
        """Remembers the moment of the first field."""
        if self._first_field_s is None:
            self._first_field_s = self._clock.monotonic() - self._start_s

    def budget(self) -> LatencyBudget:
        """Where the time went until now."""
        stages = (
            StageLatency(stage, span.end_s - span.begin_s, span.steps) for stage, span in self._spans.items()
        )
        return LatencyBudget(
            stages=tuple(stages),
            total_s=self._clock.monotonic() - self._start_s,
            first_field_s=self._first_field_s,
        )
