"""Settings of the batch service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.batch.domain.limits import BatchLimits
from vidence_server.runtime.settings import Section

_LIMITS = BatchLimits()


class BatchSettings(Section):
    """What is accepted, who works, and how long anything is kept."""

    workers: int | None = Field(
        None,
        ge=0,
        le=256,
        description="Items that this process reads at once; unset: as many as the engine runs steps; "
        "0: none, `vidence worker` processes do it.",
    )
    max_images: int = Field(_LIMITS.max_images, ge=1, le=100_000, description="Most images of a batch.")
    max_image_bytes: int = Field(_LIMITS.max_image_bytes, ge=1, description="Largest image or PDF, in bytes.")
    max_batch_bytes: int = Field(
        _LIMITS.max_batch_bytes, ge=1, description="Most bytes of all images of a batch."
    )
    max_waiting_items: int = Field(
        _LIMITS.max_waiting_items,
        ge=1,
        description="Items of one tenant that may wait; more work is refused until some are done.",
    )
    max_attempts: int = Field(
        3, ge=1, le=100, description="How often an item is tried whose failure may pass."
    )
    first_retry_s: float = Field(
        1.0, ge=0, description="Delay before the second attempt; it doubles with each."
    )
    longest_retry_s: float = Field(60.0, ge=0, description="Longest delay between two attempts.")
    lease_s: float = Field(
        30.0, gt=0, description="Silence of a worker after which its items are given to others."
    )
    retention_s: float = Field(
        86_400.0, gt=0, description="Time after its end for which a batch or job is kept, with its results."
    )
    open_s: float = Field(
        86_400.0, gt=0, description="Time for which a batch that is not started is kept after its last item."
    )
    image_retention_s: float = Field(
        900.0,
        ge=0,
        description="Time for which the image of an item is kept after it was read; 0: deleted at once.",
    )
    filing_patience_s: float = Field(
        86_400.0, ge=0, description="Time for which a result is offered to a library that does not take it."
    )
    call_filing_patience_s: float = Field(
        30.0, ge=0, description="The same for `ProcessBatch` and `ReadBatch`, which wait for it."
    )
    sweep_period_s: float = Field(60.0, gt=0, description="How often what has expired is deleted.")

    @property
    def limits(self) -> BatchLimits:
        """The limits as the domain knows them."""
        return BatchLimits(
            max_images=self.max_images,
            max_image_bytes=self.max_image_bytes,
            max_batch_bytes=self.max_batch_bytes,
            max_waiting_items=self.max_waiting_items,
        )
