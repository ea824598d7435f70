"""Batches and their items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.filing import Filing, document_id_of
from vidence_server.batch.domain.states import BatchState, ItemState

READ_DOCUMENT = "read_document"
"""The operation of every item of a batch: one image is read."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is submitted."""

    content: bytes
    file_name: str = ""
    document_type: str = ""
    """Key of the type; empty: the batch's."""
    pdf_page: int = 1
    subject_id: str = ""
    """Whose it is; empty: nobody said."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The items of a batch by state."""

    total: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    filing: int = 0
    """Of those that were read: on their way into the library."""
    filed: int = 0
    unfiled: int = 0
    """Of those that were read: not taken by the library."""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.done == self.total and not self.filing

    @property
    def done(self) -> int:
        """Items that ended."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def queued(self) -> int:
        """Items that wait."""
        return self.total - self.running - self.done

    @property
    def final_state(self) -> BatchState:
        """How a batch ends whose items all ended, none by a cancellation of the batch."""
        if self.succeeded == self.total:
            return BatchState.SUCCEEDED
        return BatchState.PARTIAL if self.succeeded else BatchState.FAILED


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and how far it is."""

    id: str
    tenant: str
    state: BatchState
    run: int
    counts: Counts
    retried: int
    """Attempts of this run that failed and were followed by another."""
    size_bytes: int
    document_type: str
    ephemeral: bool
    """It belongs to a call and ends with it."""
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    expire_time: datetime | None
    first_result_time: datetime | None
    work_ms: int
    """Time that workers spent on attempts of this run that ended, ms."""
    library_id: str = ""
    """The library that results go into; empty: none."""

    @property
    def total_s(self) -> float:
        """How long the run took, or 0 while it has not ended or never began."""
        if self.start_time is None or self.end_time is None:
            return 0.0
        return max(0.0, (self.end_time - self.start_time).total_seconds())

    @property
    def first_result_s(self) -> float | None:
        """From the start of the run to its first result, s."""
        if self.start_time is None or self.first_result_time is None:
            return None
        return max(0.0, (self.first_result_time - self.start_time).total_seconds())


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work: an image of a batch, or a job."""

    id: str
    tenant: str
    batch_id: str | None
    """None: a job."""
    index: int
    operation: str
    state: ItemState
    run: int
    """Of a job: which run. Of an item of a batch the batch knows."""
    file_name: str
    document_type: str
    pdf_page: int
    sha256: str
    size_bytes: int
    blob_id: str
    """Where the image is; empty where it is kept no more, or never was."""
    attempt: int
    """Attempts that began in this run."""
    max_attempts: int
    dead: bool
    """It failed after all its attempts, by what may pass."""
    failure: Failure | None
    finish_token: int
    """Token of the lease that ended it; 0: none did."""
    duration_ms: int
    create_time: datetime
    end_time: datetime | None
    expire_time: datetime | None
    """Of a job that ended."""
    result: bytes | None = None
    """What came of it, encoded; None also where it was not asked for."""
    library_id: str = ""
    """The library that its result goes into; empty: none."""
    filing: Filing | None = None
    """What became of the result there; None before there is one."""
    image_expire_time: datetime | None = None
    """When the image of an item that was read is deleted; None: with its batch, or it is gone."""
    subject_id: str = ""
    """Whose image it is; empty: nobody said."""

    @property
    def owner(self) -> str:
        """What it belongs to: its batch, or itself."""
        return self.batch_id or self.id

    @property
    def new_filing(self) -> Filing | None:
        """The beginning of its result's way into the library; None where there is none."""
        if not self.library_id:
            return None
        return Filing(self.library_id, document_id_of(self.batch_id, self.index, self.id))
