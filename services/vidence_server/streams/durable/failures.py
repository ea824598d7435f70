"""What publishers are told when the store fails."""

from __future__ import annotations

from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.durable.store import StoreError

_FULL_RETRY_S = 5.0
_FAILED_RETRY_S = 1.0


def storage_error(error: StoreError) -> DomainError:
    """What a publisher is told."""
    if error.full:
        return DomainError(
            Reason.STORAGE_FULL, "The disk of the event log has no room.", retry_after_s=_FULL_RETRY_S
        )
    told = "The database of the event log is damaged: stop the server and repair it."
    if not error.damaged:
        told = "The disk of the event log failed."
    return DomainError(Reason.STORAGE_FAILED, told, retry_after_s=_FAILED_RETRY_S)
