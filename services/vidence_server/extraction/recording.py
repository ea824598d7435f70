"""Watches a reading and tells a recorder how it began and ended."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.domain.document import Verdict
from vidence_server.extraction.domain.events import DocumentTypeDetected, ExtractionComplete, ExtractionEvent
from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun


class RunRecorder(Protocol):
    """Keeps what it is told. Never blocks, never fails: a reading does not depend on it."""

    def started(self, run: StartedRun) -> None:
        """A reading has begun."""
        ...

    def ended(self, run: EndedRun) -> None:
        """That reading is over; told exactly once for each that was told to have begun."""
        ...


class NoRecorder:
    """Keeps nothing."""

    def started(self, run: StartedRun) -> None:
        """Forgets it."""

    def ended(self, run: EndedRun) -> None:
        """Forgets it."""


class RunRecording:
    """One reading under watch, from the beginning of its context to the end. What is raised inside passes."""

    def __init__(
        self, recorder: RunRecorder, start: StartedRun, clock: Clock, *, deadline: Deadline | None
    ) -> None:
        self._recorder = recorder
        self._start = start
        self._clock = clock
        self._deadline = deadline
        self._begin_s = clock.monotonic()
        self._document_type = start.document_type
        self._complete: ExtractionComplete | None = None

    def __enter__(self) -> Self:
        """Tells that the reading began."""
        self._recorder.started(self._start)
        return self

    def note(self, event: ExtractionEvent) -> None:
        """Learns from an event, before it is handed on: who closes the reading at its last event has it."""
        if isinstance(event, DocumentTypeDetected):
            self._document_type = event.guess.key
        elif isinstance(event, ExtractionComplete):
            self._complete = event

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tells how the reading ended."""
        self._recorder.ended(self._completed(self._complete) if self._complete else self._stopped(error))

    def _completed(self, complete: ExtractionComplete) -> EndedRun:
        fields = complete.document.fields
        return EndedRun(
            start=self._start,
            state=RunState.COMPLETED,
            document_type=complete.document.document_type,
            end_time=self._clock.now(),
            total_s=complete.latency.total_s,
            field_count=len(fields),
            invalid_field_count=sum(field.validation.verdict is Verdict.INVALID for field in fields),
        )

    def _stopped(self, error: BaseException | None) -> EndedRun:
        reason = self._reason(error)
        return EndedRun(
            start=self._start,
            state=RunState.CANCELLED if reason is Reason.CANCELLED else RunState.FAILED,
            document_type=self._document_type,
            end_time=self._clock.now(),
            total_s=self._clock.monotonic() - self._begin_s,
            reason=reason,
        )

    def _reason(self, error: BaseException | None) -> Reason:
        if isinstance(error, DomainError):
            return error.reason
        if isinstance(error, Exception):
            return Reason.INTERNAL
        # The generator was closed, or its task cancelled: nobody waits any more.
        if self._deadline is not None and self._deadline.passed(self._clock):
            return Reason.DEADLINE_EXCEEDED
        return Reason.CANCELLED
