"""Receipts of erasures: whether one is whole, and what it says.

A receipt is canonical JSON whose member `hash` is SHA-256 over the canonical JSON of all its other members.
That it fits shows that nothing was changed since, not who made it: compare it with the server's own copy
(`Client.erasure.get`) for that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidence_client.provenance import canonical_hash

FORMAT = "vidence.erasure-receipt/1"
SUBJECT_FORMAT = "vidence.subject/1"


class ReceiptError(ValueError):
    """The text is no receipt of an erasure."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it was parsed.

    Attributes:
        members: All of it, the hash too.
    """

    members: Mapping[str, Any]

    @property
    def purge_id(self) -> str:
        """Which purge."""
        return str(self.members["purge_id"])

    @property
    def complete(self) -> bool:
        """Whether it says that no service holds anything any more."""
        return bool(self.members["state"] == "COMPLETE")

    @property
    def hash(self) -> str:
        """The hash that it holds."""
        return str(self.members["hash"])

    @property
    def whole(self) -> bool:
        """Whether nothing was changed since the hash was made."""
        content = {key: value for key, value in self.members.items() if key != "hash"}
        return canonical_hash(content) == self.hash

    def is_of(self, tenant: str, subject_id: str) -> bool:
        """Whether it is about this subject of this tenant."""
        about = {"format": SUBJECT_FORMAT, "subject_id": subject_id, "tenant": tenant}
        return bool(self.members["subject_digest"] == canonical_hash(about))


def parse_receipt(text: str) -> Receipt:
    """Reads a receipt; its hash is not looked at.

    Raises:
        ReceiptError: It is no receipt of the known format.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ReceiptError("the receipt is no JSON") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ReceiptError(f"the receipt is not of the format {FORMAT}")
    if not all(isinstance(found.get(key), str) for key in ("hash", "purge_id", "state", "subject_digest")):
        raise ReceiptError("the receipt has no hash, purge, state or subject")
    return Receipt(found)
