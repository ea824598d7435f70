"""What waits for the writer, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from vidence_server.core.errors import DomainError
from vidence_server.streams.append import AppendResult, Draft, Durability
from vidence_server.streams.durable.store import Record
from vidence_server.streams.durable.tail import LogTail

T = TypeVar("T")

Answer: TypeAlias = Sequence[AppendResult] | DomainError


@dataclass(slots=True, eq=False)
class AppendRequest(Generic[T]):
    """Drafts that one caller appends together; they are committed together or not at all."""

    tail: LogTail
    drafts: Sequence[Draft]
    durability: Durability
    atomic: bool
    """One refused draft refuses them all."""
    caller: T
    """Whom the answer is for; the group commit does not look at it."""
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.size_bytes = sum([len(draft.body) for draft in self.drafts])


class Outcome(NamedTuple, Generic[T]):
    """What became of a group, or of a part of it. To be carried out in this order: items, then answers."""

    items: Sequence[tuple[LogTail, Sequence[Record]]]
    """What its logs broadcast now, in the order of their offsets."""
    committed: Sequence[tuple[LogTail, int]]
    """How far each log can be read from now on."""
    answers: Sequence[tuple[AppendRequest[T], Answer]]


def joined(first: Outcome[T] | None, second: Outcome[T]) -> Outcome[T]:
    """Two outcomes as one, in this order."""
    if first is None:
        return second
    return Outcome(
        [*first.items, *second.items],
        [*first.committed, *second.committed],
        [*first.answers, *second.answers],
    )
