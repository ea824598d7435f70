"""What came of a probe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a probe ended."""

    OK = "ok"
    ABSENT = "absent"
    """Not offered at this address, and need not be."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one probe.

    Attributes:
        service: Name of the service, `http` for paths.
        what: RPC or path.
        verdict: How it ended.
        took_s: Seconds.
        told: Why it failed, or which refusal was the right answer.
    """

    service: str
    what: str
    verdict: Verdict
    took_s: float
    told: str = ""
