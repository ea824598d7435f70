"""Purges: begun by a call, kept before anything is erased, gone on with until every service is done."""

from __future__ import annotations

from dataclasses import replace

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.erasure import store
from vidence_server.erasure.asking import Asking
from vidence_server.erasure.domain.purge import Purge, PurgeState, digest_of
from vidence_server.erasure.domain.receipt import receipt_of
from vidence_server.erasure.ports import Codec
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.erasure import empty_log
from vidence_server.storage.outbox import Outbox


class ErasureService:
    """All operations on purges. One process at a time brings a purge forward."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        asking: Asking,
        codec: Codec,
        *,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._asking = asking
        self._codec = codec
        self._clock = clock
        self._ids = ids
        self._audit = structlog.get_logger("vidence_server.audit")

    async def purge(self, tenant: str, subject_id: str, *, request_id: str, dry_run: bool) -> Purge:
        """Erases a subject, or only counts; raises `DomainError`, STORAGE_FULL, STORAGE_FAILED."""
        new = Purge(
            id="" if dry_run else self._ids.new("pur"),
            tenant=tenant,
            subject_digest=digest_of(tenant, subject_id),
            request_id=request_id,
            state=PurgeState.DRY_RUN if dry_run else PurgeState.RUNNING,
            create_time=self._clock.now(),
            subject_id=subject_id,
        )
        if dry_run:
            return await self._asking.count(new)

        async def begin(transaction: Transaction) -> Purge:
            known = await store.select_to_go_on(transaction, tenant, new.subject_digest, request_id)
            if known is None:
                await store.add(transaction, new)
            return known or new

        # Kept first: from here on it goes on by itself, whatever happens to the call or the process.
        purge = await self._database.run(begin)
        return purge if purge.state is PurgeState.COMPLETE else await self.go_on(tenant, purge.id)

    async def get(self, tenant: str, *, purge_id: str = "", subject_id: str = "") -> Purge:
        """A purge, or the newest of a subject; raises `DomainError`, PURGE_NOT_FOUND."""
        async with self._database.snapshot() as snapshot:
            if purge_id:
                found = await store.select_one(snapshot, tenant, purge_id)
            else:
                found = await store.select_newest(snapshot, tenant, digest_of(tenant, subject_id))
        if found is None:
            raise DomainError(Reason.PURGE_NOT_FOUND, "No purge that is kept is this one.")
        return found

    async def go_on(self, tenant: str, purge_id: str) -> Purge:
        """Asks the services once more, unless the purge is complete.

        Raises:
            DomainError: PURGE_NOT_FOUND, STORAGE_FULL, STORAGE_FAILED.
        """
        async with self._database.exclusive(f"purge {purge_id}"):
            purge = await self.get(tenant, purge_id=purge_id)
            if purge.state is PurgeState.COMPLETE:
                return purge
            purge = replace(purge, state=PurgeState.RUNNING, attempts=purge.attempts + 1)
            await self._keep(purge)
            purge = self._concluded(await self._asking.erase(purge, self._keep))
            await self._conclude(purge)
        self._audit.info(
            "subject purged",
            purge_id=purge.id,
            tenant=tenant,
            state=purge.state.value,
            attempts=purge.attempts,
            erased=purge.erased,
            waiting_for=[part.service for part in purge.parts if not part.done],
            receipt_hash=purge.receipt_hash,
        )
        return purge

    def _concluded(self, purge: Purge) -> Purge:
        if all(part.done for part in purge.parts):
            purge = replace(
                purge,
                state=PurgeState.COMPLETE,
                complete_time=self._clock.now(),
                subject_id="",
                review_subjects=(),
            )
        else:
            purge = replace(purge, state=PurgeState.PARTIAL)
        receipt, receipt_hash = receipt_of(purge)
        return replace(purge, receipt=receipt, receipt_hash=receipt_hash)

    async def _conclude(self, purge: Purge) -> None:
        async def work(transaction: Transaction) -> None:
            await store.save(transaction, purge)
            if purge.state is PurgeState.COMPLETE:
                await self._outbox.add(transaction, self._codec.purged(purge))

        await self._database.run(work)
        if purge.state is PurgeState.COMPLETE:
            await empty_log(self._database)  # the subject's id stood there until now

    async def _keep(self, purge: Purge) -> None:
        await self._database.run(lambda transaction: store.save(transaction, purge))
