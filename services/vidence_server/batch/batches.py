"""Batches: what they hold, from their creation to their deletion."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace

from vidence_server.batch.domain.batch import Batch, Counts, Image, Item
from vidence_server.batch.domain.pages import DEFAULT_PAGE_SIZE, decode_token, encode_token
from vidence_server.batch.domain.states import BatchState, ItemState
from vidence_server.batch.foundation import Foundation
from vidence_server.batch.intake import Intake, sha256_of
from vidence_server.batch.runs import find, wrong_state
from vidence_server.batch.store import batch_table, filing_table, item_table
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.database import Transaction

_PAGE_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some batches of a listing."""

    batches: list[Batch]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a listing."""

    items: list[Item]
    next_page_token: str


class Batches:
    """What users put into batches, and what they find in them."""

    def __init__(self, foundation: Foundation, intake: Intake) -> None:
        self._base = foundation
        self._intake = intake

    async def create(
        self,
        tenant: str,
        *,
        idempotency_key: str = "",
        document_type: str = "",
        library_id: str = "",
        ephemeral: bool = False,
    ) -> Batch:
        """Creates an open batch, or gives that of the key.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, STORAGE_FULL, STORAGE_FAILED.
        """
        await self._intake.check_library(tenant, library_id)
        now = self._base.clock.now()
        async with self._base.database.transaction() as transaction:
            if idempotency_key:
                known = await batch_table.select_by_key(transaction, tenant, idempotency_key)
                if known is not None:
                    return known
            batch = Batch(
                id=self._base.ids.new("bat"),
                tenant=tenant,
                state=BatchState.OPEN,
                run=1,
                counts=Counts(),
                retried=0,
                size_bytes=0,
                document_type=document_type,
                ephemeral=ephemeral,
                create_time=now,
                start_time=None,
                end_time=None,
                expire_time=now + self._base.policy.open_time,
                first_result_time=None,
                work_ms=0,
                library_id=library_id,
            )
            await batch_table.insert(transaction, batch, idempotency_key, server=self._base.database.instance)
        return batch

    async def add(
        self, tenant: str, batch_id: str, index: int, image: Image, *, keep_refused: bool = False
    ) -> tuple[Item, bool]:
        """Adds an image to an open batch; gives the item, and whether it was there already.

        Args:
            tenant: Whose batch.
            batch_id: Which.
            index: Its place.
            image: The image.
            keep_refused: Whether an image that is not taken becomes a failed item instead of an error.

        Raises:
            DomainError: BATCH_NOT_FOUND, BATCH_WRONG_STATE, BATCH_ITEM_CONFLICT, BATCH_TOO_MANY_IMAGES,
                BATCH_TOO_LARGE, and without `keep_refused` the IMAGE_… reasons.
        """
        self._base.policy.limits.check_batch(images=index + 1, size_bytes=0)
        refusal = self._intake.refusal(image)
        if refusal is not None and not keep_refused:
            raise refusal
        batch = await self.get(tenant, batch_id)
        async with self._base.database.snapshot() as snapshot:
            there = await item_table.select_at(snapshot, batch_id, index)
        if there is not None:
            return await _same(there, image), True
        if refusal is not None:
            return await self._insert(self._intake.refused(batch, index, image, refusal))
        async with self._intake.kept(tenant, image) as blob:
            item, repeated = await self._insert(self._intake.item(batch, index, image, blob))
        if repeated:
            await self._intake.forget([blob.id])
        return item, repeated

    async def add_all(self, batch: Batch, images: Sequence[Image]) -> None:
        """Adds all images of a call to its own batch.

        Raises:
            DomainError: BATCH_TOO_MANY_IMAGES, BATCH_TOO_LARGE, STORAGE_FULL, STORAGE_FAILED.
        """
        size_bytes = sum(len(image.content) for image in images)
        self._base.policy.limits.check_batch(images=len(images), size_bytes=size_bytes)
        items = await self._intake.items(batch, images)
        failed = sum(item.state is ItemState.FAILED for item in items)
        counts = Counts(total=len(items), failed=failed)
        try:
            async with self._base.database.transaction() as transaction:
                await item_table.insert(transaction, items)
                await batch_table.save(transaction, replace(batch, counts=counts, size_bytes=size_bytes))
        except BaseException:
            await self._intake.forget([item.blob_id for item in items])
            raise

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """A batch; raises `DomainError`, BATCH_NOT_FOUND."""
        async with self._base.database.snapshot() as snapshot:
            return await find(snapshot, tenant, batch_id)

    async def page(
        self, tenant: str, states: Collection[BatchState], *, page_size: int = 0, page_token: str = ""
    ) -> BatchPage:
        """A page of batches, the newest first; raises `DomainError`, PAGE_TOKEN_INVALID."""
        listing = (tenant, "batches", *sorted(states))
        before, limit = decode_token(page_token, *listing), page_size or DEFAULT_PAGE_SIZE
        async with self._base.database.snapshot() as snapshot:
            found = await batch_table.select_page(snapshot, tenant, states, before=before, limit=limit + 1)
        token = encode_token(found[limit - 1].id, *listing) if len(found) > limit else ""
        return BatchPage(found[:limit], token)

    async def item_page(
        self,
        tenant: str,
        batch_id: str,
        states: Collection[ItemState] = (),
        *,
        page_size: int = 0,
        page_token: str = "",
    ) -> ItemPage:
        """A page of items by index; raises `DomainError`, BATCH_NOT_FOUND, PAGE_TOKEN_INVALID."""
        listing = (tenant, "items", batch_id, *sorted(states))
        after, limit = int(decode_token(page_token, *listing) or -1), page_size or DEFAULT_PAGE_SIZE
        async with self._base.database.snapshot() as snapshot:
            await find(snapshot, tenant, batch_id)
            found = await item_table.select_page(
                snapshot, batch_id, states, after=after, limit=limit, max_bytes=_PAGE_BYTES
            )
            last = found[-1].index if found else after
            more = await item_table.select_page(snapshot, batch_id, states, after=last, limit=1, max_bytes=1)
        return ItemPage(found, encode_token(str(last), *listing) if more else "")

    async def image(self, tenant: str, batch_id: str, index: int) -> tuple[Item, AsyncIterator[bytes]]:
        """An item, and its image in pieces of at most 256 KiB.

        Raises:
            DomainError: BATCH_NOT_FOUND, BATCH_ITEM_NOT_FOUND; and when the pieces are asked for,
                BLOB_NOT_FOUND, STORAGE_FAILED.
        """
        async with self._base.database.snapshot() as snapshot:
            await find(snapshot, tenant, batch_id)
            item = await item_table.select_at(snapshot, batch_id, index)
        if item is None:
            raise DomainError(
                Reason.BATCH_ITEM_NOT_FOUND,
                f"The batch has no item {index}.",
                metadata={"index": str(index)},
            )
        return item, self._base.blobs.chunks(item.blob_id, tenant=item.tenant)

    async def forget_images(self, items: Sequence[Item]) -> None:
        """Deletes the images of items; what else is known of them stays."""
        if items:
            ids = [item.id for item in items]
            await self._base.database.run(lambda transaction: item_table.forget_images(transaction, ids))
            await self._intake.forget([item.blob_id for item in items])

    async def delete(self, tenant: str, batch_id: str) -> None:
        """Deletes a batch that does not run, with all that is kept of it.

        Raises:
            DomainError: BATCH_NOT_FOUND, BATCH_WRONG_STATE.
        """

        async def work(transaction: Transaction) -> list[Item]:
            batch = await find(transaction, tenant, batch_id)
            if batch.state.active:
                raise wrong_state(batch)
            await filing_table.remove_owner(transaction, batch_id)
            items = await item_table.select_of_batch(transaction, batch_id)
            await item_table.delete_of_batch(transaction, batch_id)
            await batch_table.delete_one(transaction, batch_id)
            await self._base.ledger.delete_batch(transaction, batch)
            return items

        items = await self._base.database.run(work)
        await self._intake.forget([item.blob_id for item in items])

    async def _insert(self, item: Item) -> tuple[Item, bool]:
        limits = self._base.policy.limits
        async with self._base.database.transaction() as transaction:
            batch = await find(transaction, item.tenant, item.batch_id or "")
            if batch.state is not BatchState.OPEN:
                raise wrong_state(batch)
            there = await item_table.select_at(transaction, batch.id, item.index)
            if there is not None:
                return _equal(there, item.sha256), True
            counts, size_bytes = batch.counts, batch.size_bytes + item.size_bytes
            limits.check_batch(images=counts.total + 1, size_bytes=size_bytes)
            await item_table.insert(transaction, [item])
            failed = counts.failed + (item.state is ItemState.FAILED)
            counts = replace(counts, total=counts.total + 1, failed=failed)
            expire_time = self._base.clock.now() + self._base.policy.open_time
            batch = replace(batch, counts=counts, size_bytes=size_bytes, expire_time=expire_time)
            await batch_table.save(transaction, batch)
        return item, False


async def _same(there: Item, image: Image) -> Item:
    return _equal(there, await sha256_of(image.content))


def _equal(there: Item, sha256: str) -> Item:
    if there.sha256 != sha256:
        raise DomainError(
            Reason.BATCH_ITEM_CONFLICT,
            f"Place {there.index} of the batch is taken by another image.",
            metadata={"index": str(there.index)},
        )
    return there
