"""Takes images in: checks them, keeps their bytes, makes items of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from vidence_server.batch.domain.batch import READ_DOCUMENT, Batch, Image, Item
from vidence_server.batch.domain.failure import Failure
from vidence_server.batch.domain.states import ItemState
from vidence_server.batch.foundation import Foundation
from vidence_server.core.errors import DomainError
from vidence_server.storage.blobs import BlobRef

_AT_ONCE = 8


class Intake:
    """Makes items of images."""

    def __init__(self, foundation: Foundation) -> None:
        self._base = foundation

    async def check_library(self, tenant: str, library_id: str) -> None:
        """Refuses what is to go into a library that there is not; one that is away is believed in.

        Raises:
            DomainError: LIBRARY_NOT_FOUND.
        """
        try:
            if library_id:
                await self._base.libraries.check(tenant, library_id)
        except DomainError as error:
            if not Failure.of(error).passing:
                raise

    def refusal(self, image: Image) -> DomainError | None:
        """Why an image is not taken; None where it is."""
        try:
            self._base.policy.limits.check_image(image.content)
        except DomainError as error:
            return error
        return None

    @asynccontextmanager
    async def kept(self, tenant: str, image: Image) -> AsyncIterator[BlobRef]:
        """Keeps an image's bytes; they are forgotten where the block raises.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        expire_time = self._base.clock.now() + self._base.policy.image_time
        blob = await self._base.blobs.put(image.content, tenant=tenant, expire_time=expire_time)
        try:
            yield blob
        except BaseException:
            await self.forget([blob.id])
            raise

    async def items(self, batch: Batch, images: Sequence[Image]) -> list[Item]:
        """Keeps the images of a call, some at a time, and makes an item of each.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; then none is kept.
        """
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(index: int, image: Image) -> Item:
            async with turns:
                refusal = self.refusal(image)
                if refusal is not None:
                    return self.refused(batch, index, image, refusal)
                async with self.kept(batch.tenant, image) as blob:
                    return self.item(batch, index, image, blob)

        tasks = [asyncio.create_task(one(index, image)) for index, image in enumerate(images)]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            await self.forget([item.blob_id for item in done if isinstance(item, Item)])
            raise

    def item(self, batch: Batch, index: int, image: Image, blob: BlobRef) -> Item:
        """An item that is to be read."""
        return self._item(batch, index, image, blob_id=blob.id, sha256=blob.sha256)

    def refused(self, batch: Batch, index: int, image: Image, error: DomainError) -> Item:
        """An item that has failed before any work."""
        digest = hashlib.sha256(image.content).hexdigest()
        return self._item(batch, index, image, sha256=digest, failure=Failure.of(error))

    async def forget(self, blob_ids: Sequence[str]) -> None:
        """Deletes images; what fails here expires by itself."""
        for blob_id in filter(None, blob_ids):
            with suppress(DomainError):
                await self._base.blobs.delete(blob_id)

    def _item(
        self,
        batch: Batch,
        index: int,
        image: Image,
        *,
        sha256: str,
        blob_id: str = "",
        failure: Failure | None = None,
    ) -> Item:
        now = self._base.clock.now()
        return Item(
            id=self._base.ids.new("itm"),
            tenant=batch.tenant,
            batch_id=batch.id,
            index=index,
            operation=READ_DOCUMENT,
            state=ItemState.QUEUED if failure is None else ItemState.FAILED,
            run=1,
            file_name=image.file_name,
            document_type=image.document_type or batch.document_type,
            pdf_page=image.pdf_page,
            sha256=sha256,
            size_bytes=len(image.content),
            blob_id=blob_id,
            attempt=0,
            max_attempts=self._base.policy.max_attempts,
            dead=False,
            failure=failure,
            finish_token=0,
            duration_ms=0,
            create_time=now,
            end_time=None if failure is None else now,
            expire_time=None,
            library_id=batch.library_id,
            subject_id=image.subject_id,
        )


async def sha256_of(content: bytes) -> str:
    """The digest of an image, 64 hex digits; computed off the loop."""
    return await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
