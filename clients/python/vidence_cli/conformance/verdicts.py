"""What was found of each guarantee."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vidence_client.conformance import Violation

WATCH_GUARANTEES = (
    "Ordered",
    "Unique",
    "Reliable",
    "Resumable",
    "Bookmarkable",
    "Filtered",
    "Chained",
    "Terminated",
    "Isolated",
)
"""What every record of a watch stream is judged by."""
RESULT_GUARANTEES = ("Ordered", "Unique", "Terminated", "Isolated", "Progress", "Complete")
"""What every record of an extraction is judged by."""


@dataclass(slots=True)
class Verdict:
    """One guarantee: how often it was judged, and what broke it."""

    guarantee: str
    checks: int = 0
    violations: list[str] = field(default_factory=list)


class Verdicts:
    """Collects what the scenarios find."""

    def __init__(self) -> None:
        self._found: dict[str, Verdict] = {}

    @property
    def all(self) -> list[Verdict]:
        """One per guarantee, in the order in which they were first judged."""
        return list(self._found.values())

    @property
    def broken(self) -> bool:
        """Whether any guarantee was broken."""
        return any(verdict.violations for verdict in self._found.values())

    def judged(self, scenario: str, guarantees: Iterable[str], violations: Iterable[Violation]) -> None:
        """Takes what validators found of one record."""
        for guarantee in guarantees:
            self._of(guarantee).checks += 1
        for found in violations:
            told = f"{scenario}: {found.message} (message {found.position})"
            self._of(found.validator).violations.append(told)

    def expect(self, scenario: str, guarantee: str, holds: bool, otherwise: str) -> None:
        """Takes one check: whether it holds, and what is wrong otherwise."""
        verdict = self._of(guarantee)
        verdict.checks += 1
        if not holds:
            verdict.violations.append(f"{scenario}: {otherwise}")

    def _of(self, guarantee: str) -> Verdict:
        return self._found.setdefault(guarantee, Verdict(guarantee))
