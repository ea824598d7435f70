"""Who keeps the keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

DATA_KEY_BYTES = 32
"""Of AES-256."""
MOST_KEY_ID_BYTES = 1024
MOST_WRAPPED_BYTES = 8192


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it may lie beside the data: useless without the key that it names."""

    key_id: str
    """Of the key that wrapped it, ASCII; no secret."""
    wrapped: bytes = field(repr=False)


class KeyProvider(Protocol):
    """Wraps data keys with keys that it alone knows. Its calls block, and come from any thread."""

    def wrap(self, data_key: bytes) -> WrappedKey:
        """Wraps 32 bytes with the key that is the current one.

        Raises:
            DomainError: KEY_UNAVAILABLE, which may pass.
        """
        ...

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The data key again, whichever key wrapped it.

        Raises:
            DomainError: KEY_UNKNOWN: there is no such key any more; CIPHERTEXT_INVALID: this was not wrapped
                by it; KEY_UNAVAILABLE, which may pass.
        """
        ...
