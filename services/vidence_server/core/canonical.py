"""JSON in the one way in which it is hashed: provenance records, receipts of erasures."""

from __future__ import annotations

import hashlib
import json


def canonical(value: object) -> str:
    """Keys sorted, no white space, no escapes beyond JSON's own; the same text for equal values.

    Raises:
        ValueError: A number that is not finite.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def canonical_hash(value: object) -> str:
    """SHA-256 over the canonical JSON in UTF-8, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
