"""Why a caller is not let in. None of it says what a credential would have had to be."""

from __future__ import annotations

from vidence_server.core.errors import DomainError, Reason


def missing() -> DomainError:
    """There is no credential."""
    return DomainError(Reason.CREDENTIAL_MISSING, "The call has no credential.")


def invalid() -> DomainError:
    """The credential is none."""
    return DomainError(Reason.CREDENTIAL_INVALID, "The credential is not one of this server.")


def expired() -> DomainError:
    """The credential is one no longer."""
    return DomainError(Reason.CREDENTIAL_EXPIRED, "The credential expired or was revoked.")


def scope_missing(scope: str) -> DomainError:
    """The credential does not grant what the call needs."""
    return DomainError(
        Reason.SCOPE_MISSING,
        f"The credential does not grant {scope} to this caller.",
        metadata={"scope": scope},
    )


def tenant_unknown() -> DomainError:
    """The credential is not for the tenant that the call means."""
    return DomainError(Reason.TENANT_UNKNOWN, "The credential is for no such tenant of this server.")
