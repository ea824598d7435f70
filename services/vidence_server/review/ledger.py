"""Tells what happens: entries in the log of a review, and events on their way to the bus.

Always in the transaction of the change itself: what is told did happen, and nothing that happened is untold.
"""

from __future__ import annotations

from typing import Protocol

from vidence_server.review import store
from vidence_server.review.domain.events import Change, Presence, ReviewEvent
from vidence_server.review.domain.review import Review
from vidence_server.review.store import Name
from vidence_server.runtime.service_logs import Encoder, LogName, ServiceLogs
from vidence_server.storage.database import Transaction
from vidence_server.storage.outbox import Outbox, OutboxEvent


class Codec(Protocol):
    """Makes messages of what is told; `convert` does."""

    def entry(self, name: Name, event: ReviewEvent) -> Encoder:
        """An entry of a review's log."""
        ...

    def changed(self, event: Change) -> OutboxEvent:
        """The event that a review was changed."""
        ...

    def deleted(self, review: Review) -> OutboxEvent:
        """The event that a review was deleted."""
        ...


def review_log(name: Name) -> LogName:
    """The log of a review."""
    return LogName(name.tenant, f"review/{name.subject}")


class Ledger:
    """Writes reviews, logs and outbox."""

    def __init__(self, logs: ServiceLogs, outbox: Outbox, codec: Codec) -> None:
        self._logs = logs
        self._outbox = outbox
        self._codec = codec

    async def change(self, transaction: Transaction, event: Change) -> None:
        """Keeps a review as it is after a change, and tells of it."""
        review = event.review
        name = Name(review.tenant, review.subject)
        await store.save_review(transaction, review)
        await self._logs.append(transaction, review_log(name), [self._codec.entry(name, event)])
        await self._outbox.add(transaction, self._codec.changed(event))

    async def tell_presence(self, transaction: Transaction, name: Name) -> None:
        """Tells who looks at a review from now on."""
        event = Presence(await store.select_attendants(transaction, name))
        await self._logs.append(transaction, review_log(name), [self._codec.entry(name, event)])

    async def delete(self, transaction: Transaction, review: Review) -> None:
        """Removes a review with everything that is kept of it, and tells the bus."""
        name = Name(review.tenant, review.subject)
        await store.delete_review(transaction, name)
        await self._logs.delete(transaction, review_log(name))
        await self._outbox.add(transaction, self._codec.deleted(review))

    async def expire(self, transaction: Transaction, name: Name, before_ns: int) -> None:
        """Forgets entries that were taken before a time, Unix ns."""
        await self._logs.expire(transaction, review_log(name), before_ns)
