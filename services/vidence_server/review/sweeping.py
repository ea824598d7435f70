"""What nobody asks for: those who are gone without a word, and the end of what is old."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from vidence_server.core.clock import Clock
from vidence_server.review import store
from vidence_server.review.domain.review import Review
from vidence_server.review.ledger import Ledger
from vidence_server.review.settings import ReviewSettings
from vidence_server.review.store import Name
from vidence_server.runtime.rounds import Round, Rounds
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.outbox import Outbox

_AT_ONCE = 100


class Sweeper:
    """Ends what is over; several servers may sweep one database."""

    def __init__(
        self, database: Database, ledger: Ledger, outbox: Outbox, clock: Clock, settings: ReviewSettings
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._outbox = outbox
        self._clock = clock
        self._settings = settings

    def rounds(self) -> Rounds:
        """Does both again and again."""
        settings = self._settings
        return Rounds(
            Round(self.sweep_presence, settings.presence_sweep_s, "presence in reviews", "sweeping failed"),
            Round(self.sweep, settings.sweep_period_s, "retention of reviews", "sweeping failed"),
        )

    async def sweep_presence(self) -> None:
        """Tells of those who are gone without a word; raises `DomainError`, STORAGE_FAILED."""
        now = self._clock.now()
        async with self._database.snapshot() as snapshot:
            names = await store.select_with_silent(snapshot, now, limit=_AT_ONCE)
        for name in names:
            work = partial(self._forget_silent, name=name, now=now)
            await self._database.run(work, scope=f"{name.tenant}/{name.subject}")

    async def sweep(self) -> None:
        """Deletes old reviews, and shortens the logs of the others; raises `DomainError`, STORAGE_FAILED."""
        now = self._clock.now()
        follow_ns = int((now - timedelta(days=self._settings.log_retention_days)).timestamp() * 1e9)
        oldest = now - timedelta(days=self._settings.retention_days)
        after: Name | None = None
        while True:
            async with self._database.snapshot() as snapshot:
                page = await store.select_names(snapshot, after=after, limit=_AT_ONCE)
            for seen in page:
                after = Name(seen.tenant, seen.subject)
                work = partial(self._shorten, name=after, oldest=oldest, follow_ns=follow_ns)
                await self._database.run(work, scope=f"{seen.tenant}/{seen.subject}")
            if len(page) < _AT_ONCE:
                break
        async with self._database.transaction() as transaction:
            await self._outbox.forget_refused(transaction, oldest)

    async def _forget_silent(self, transaction: Transaction, name: Name, now: datetime) -> None:
        if await store.delete_silent(transaction, name, now):
            await self._ledger.tell_presence(transaction, name)

    async def _shorten(self, transaction: Transaction, name: Name, oldest: datetime, follow_ns: int) -> None:
        review: Review = await store.select_review(transaction, name)
        if review.update_time is not None and review.update_time < oldest:
            await self._ledger.delete(transaction, review)
        else:
            await self._ledger.expire(transaction, name, follow_ns)
