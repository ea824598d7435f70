"""Settings of the erasure service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.runtime.settings import Section


class ErasureSettings(Section):
    """Where the services are that hold data of people, and how long receipts are kept."""

    capture_address: str = Field(
        "127.0.0.1:50053",
        description="Capture service, host:port or unix:PATH; not used where the process serves it itself; "
        "empty: the suite has none.",
    )
    batch_address: str = Field("127.0.0.1:50054", description="The same for the batch service.")
    library_address: str = Field("127.0.0.1:50055", description="The same for the library service.")
    retry_period_s: float = Field(
        60, ge=0.1, description="How often a purge is gone on with that is not complete, seconds."
    )
    receipt_retention_days: float = Field(
        1095, gt=0, description="How long the receipt of a complete purge is kept, days."
    )
