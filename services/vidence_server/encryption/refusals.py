"""Why kept data cannot be read, or not be kept; none of the messages holds a key or data."""

from __future__ import annotations

from vidence_server.core.errors import DomainError, Reason

_RETRY_AFTER_S = 5.0


def unavailable(why: str) -> DomainError:
    """Whoever keeps the keys does not answer."""
    return DomainError(Reason.KEY_UNAVAILABLE, f"No key: {why}.", retry_after_s=_RETRY_AFTER_S)


def unknown(key_id: str) -> DomainError:
    """The data name a key that there is not."""
    return DomainError(
        Reason.KEY_UNKNOWN,
        f"The data were encrypted with the key {key_id!r}, which this server does not have.",
        metadata={"key_id": key_id},
    )


def tampered() -> DomainError:
    """The data are not what was kept under this name."""
    return DomainError(
        Reason.CIPHERTEXT_INVALID, "The kept data were changed, cut off or exchanged: they are not given out."
    )


def plain() -> DomainError:
    """Not encrypted, where everything is to be."""
    return DomainError(
        Reason.CIPHERTEXT_INVALID,
        "The kept data are not encrypted, and encryption.accept_plain is off: they are not given out.",
    )


def switched_off() -> DomainError:
    """Encrypted, and nobody named a key."""
    return DomainError(
        Reason.KEY_UNKNOWN, "The kept data are encrypted, and encryption.mode is off: no key is known."
    )
