"""What is told of batches and jobs: in their logs, and to the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vidence_server.batch.domain.batch import Batch
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import Filing
from vidence_server.batch.domain.states import ItemState, Stage


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run of a batch was started."""

    total: int
    done: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    current: int
    total: int
    index: int
    file_name: str
    stage: Stage
    attempt: int


@dataclass(frozen=True, slots=True)
class ItemRead:
    """An item was read."""

    index: int
    file_name: str
    document: bytes
    """Encoded."""
    attempt: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class ItemFailed:
    """An item failed for good."""

    index: int
    file_name: str
    failure: Failure
    attempts: int


@dataclass(frozen=True, slots=True)
class ItemFiled:
    """What was read of an item is in the library, or was not taken by it."""

    index: int
    file_name: str
    filing: Filing


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run of a batch ended."""

    batch: Batch
    """As it is then."""


@dataclass(frozen=True, slots=True)
class JobAttempted:
    """An attempt at a job begins."""

    attempt: int


@dataclass(frozen=True, slots=True)
class JobRetried:
    """An attempt at a job failed, the next follows."""

    attempt: int
    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A run of a job ended."""

    state: ItemState
    operation: str
    attempts: int
    result: bytes | None = None
    failure: Failure | None = None
    filing: Filing | None = None


BatchEvent: TypeAlias = RunStarted | Progress | ItemRead | ItemFailed | ItemFiled | RunEnded
JobEvent: TypeAlias = JobAttempted | JobRetried | JobEnded
