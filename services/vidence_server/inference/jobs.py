"""Work for the engine: what one job is, and the order in which jobs wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Any, TypeAlias

import numpy.typing as npt

from vidence_server.core.deadline import Deadline

Array: TypeAlias = npt.NDArray[Any]
Tensors: TypeAlias = Mapping[str, Array]
Signature: TypeAlias = tuple[tuple[str, str, tuple[int, ...]], ...]


class Priority(IntEnum):
    """Who waits for the result; the smaller value runs first."""

    LIVE = 0
    """A camera or a person in front of it."""
    INTERACTIVE = 1
    """A call whose caller waits."""
    BATCH = 2
    """What a batch's worker began first: its result comes as soon as if it ran alone."""
    BULK = 3
    """The rest of a batch: what is left of the machine."""


class Outcome(Enum):
    """How a job ended."""

    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()
    EXPIRED = auto()


class JobState(Enum):
    """Where a job is; it only moves forward."""

    QUEUED = auto()
    RUNNING = auto()
    FINISHED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class ModelStep:
    """One run of a model. The arrays must not change until the job has ended."""

    inputs: Tensors

    @property
    def signature(self) -> Signature:
        """Names, types and shapes: steps with equal ones may be stacked."""
        return tuple(sorted((name, array.dtype.str, array.shape) for name, array in self.inputs.items()))

    @property
    def rows(self) -> int:
        """The length of axis 0 that all inputs share; 0 where they share none and cannot be stacked."""
        lengths = {array.shape[0] if array.ndim else 0 for array in self.inputs.values()}
        return lengths.pop() if len(lengths) == 1 else 0


@dataclass(frozen=True, slots=True, eq=False)
class FunctionCall:
    """A plain function that works on the CPU: decoding, preparing, post-processing."""

    function: Callable[[], Any]


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work, the future of its result, and how far it is.

    `state` and `given_up` belong to the scheduler and change under its lock only.
    """

    step: str
    work: ModelStep | FunctionCall
    priority: Priority
    deadline: Deadline | None
    future: asyncio.Future[Any]
    sequence: int = 0
    queued_at_s: float = 0.0
    state: JobState = field(default=JobState.QUEUED)
    given_up: Outcome | None = None
    """Set when nobody waits for the result any more although the job still runs."""

    def succeed(self, result: object) -> None:
        """Hands the result to the waiting task; callable from any thread."""
        self._post(self._set_result, result)

    def fail(self, error: Exception) -> None:
        """Hands an error to the waiting task; callable from any thread."""
        self._post(self._set_exception, error)

    def _post(self, setter: Callable[[Any], None], value: object) -> None:
        # A closed loop has nobody waiting.
        with contextlib.suppress(RuntimeError):
            self.future.get_loop().call_soon_threadsafe(setter, value)

    def _set_result(self, result: object) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _set_exception(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class JobQueue:
    """Jobs in the order in which they run: by priority, first come first served within one.

    Bounded; a full queue refuses the newcomer (its owner raises QUEUE_FULL). Its owner locks.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # Dicts keep insertion order and remove from the middle in constant time.
        self._waiting: dict[Priority, dict[Job, None]] = {priority: {} for priority in Priority}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[Job]:
        for jobs in self._waiting.values():
            yield from jobs

    @property
    def full(self) -> bool:
        """Whether the next `put` would be refused."""
        return len(self) >= self.limit

    @property
    def head(self) -> Job | None:
        """The job that runs next, if any waits."""
        return next(iter(self), None)

    def put(self, job: Job) -> bool:
        """Appends a job behind those of its priority; False when the queue is full."""
        if self.full:
            return False
        self._waiting[job.priority][job] = None
        return True

    def remove(self, job: Job) -> None:
        """Takes a waiting job out, wherever it stands.

        Raises:
            KeyError: it is not in this queue.
        """
        del self._waiting[job.priority][job]
