"""Why an item failed, whether trying again may help, and after how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vidence_server.core.errors import DomainError, ErrorKind, Reason

_PASSING = frozenset(
    {
        ErrorKind.INTERNAL,
        ErrorKind.UNAVAILABLE,
        ErrorKind.RESOURCE_EXHAUSTED,
        ErrorKind.DEADLINE_EXCEEDED,
        ErrorKind.ABORTED,
        ErrorKind.CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed attempt is told as: reason and kind for machines, words without contents for people."""

    reason: str
    """A `Reason`, or one that a newer worker knows."""
    kind: ErrorKind
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: DomainError) -> Failure:
        """The failure that an error means."""
        return cls(str(error.reason), error.kind, error.message, dict(error.metadata))

    @property
    def passing(self) -> bool:
        """Whether another attempt may end better: the fault is not the image's."""
        return self.kind in _PASSING


def worker_lost(attempts: int) -> Failure:
    """The worker fell silent: the lease ran out."""
    return Failure.of(
        DomainError(
            Reason.WORKER_LOST,
            "The worker that had the item fell silent.",
            metadata={"attempts": str(attempts)},
        )
    )


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long the next attempt is put off: doubling, with full jitter above the half."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def delay_s(self, attempt: int, random: float) -> float:
        """Seconds before the attempt that follows a failed one.

        Args:
            attempt: Which failed, from 1.
            random: In [0, 1).
        """
        bound_s = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        return bound_s * (0.5 + random / 2)
