"""How much is under which key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from vidence_server.core.errors import DomainError
from vidence_server.encryption.sealing import Sealing


@dataclass(slots=True)
class KeyCounts:
    """What is kept in one place, by the key that it is under."""

    by_key: Counter[str] = field(default_factory=Counter)
    """How many are under each key, by its id; empty: plain."""
    damaged: list[str] = field(default_factory=list)
    """Names of those of which nobody can tell: their header is damaged, or they cannot be read."""

    def add(self, sealing: Sealing, kept: bytes, name: str) -> None:
        """Counts one more, by its first bytes."""
        try:
            self.by_key[sealing.key_id_of(kept)] += 1
        except DomainError:
            self.damaged.append(name)
