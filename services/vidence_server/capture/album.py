"""Captured pictures: developed, kept as blobs until they expire, given out in pieces."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from vidence_server.capture.domain.results import CapturedTarget, ImageRef
from vidence_server.capture.frames import Shot
from vidence_server.capture.ports import DevelopedImage, Eyes, FoundPicture, Snapshots
from vidence_server.capture.record import ImageRecord, SessionRecord
from vidence_server.capture.store import SessionStore
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.storage.blobs import BlobStore


class PictureAlbum:
    """Keeps pictures for a while."""

    def __init__(
        self,
        eyes: Eyes,
        blobs: BlobStore,
        store: SessionStore,
        *,
        clock: Clock,
        ids: IdFactory,
        ttl_s: float,
        snapshots: Snapshots | None = None,
    ) -> None:
        """An album.

        Args:
            eyes: Develop pictures.
            blobs: Keep their bytes.
            store: Keeps where they are.
            clock: The time.
            ids: Names pictures.
            ttl_s: How long a picture is kept.
            snapshots: Pictures of a monitor, which are found too; None: there are none here.
        """
        self._eyes = eyes
        self._blobs = blobs
        self._store = store
        self._clock = clock
        self._ids = ids
        self._ttl = timedelta(seconds=ttl_s)
        self._snapshots = snapshots

    async def keep(self, session: SessionRecord, shot: Shot) -> CapturedTarget:
        """Develops and stores a picture.

        Raises:
            DomainError: The IMAGE_… reasons, QUEUE_FULL, STORAGE_FULL, STORAGE_FAILED.
        """
        developed = await self._eyes.develop(shot.picture, shot.target, shot.seen)
        images = [developed.image, *([developed.crop] if developed.crop is not None else [])]
        kept = [await self._put(session, image) for image in images]
        await self._store.add_images(kept)
        references = [_reference(image) for image in kept]
        return CapturedTarget(
            target=shot.target,
            image=references[0],
            crop=references[1] if len(references) > 1 else None,
            score=shot.score,
            frame_number=shot.timing.number,
            receive_time=shot.timing.receive_time,
        )

    async def find(self, tenant: str, image_id: str) -> FoundPicture:
        """A picture; raises `DomainError`, IMAGE_NOT_FOUND."""
        try:
            found = await self._store.image(tenant, image_id)
        except DomainError as error:
            if self._snapshots is None or error.reason is not Reason.IMAGE_NOT_FOUND:
                raise
            return await self._snapshots.find(tenant, image_id)
        pieces = partial(self._blobs.chunks, found.blob_id, tenant=tenant)
        return FoundPicture(_reference(found), found.size_bytes, found.session_id, pieces)

    async def content(self, tenant: str, image_id: str) -> bytes:
        """All of it; errors as `find`, and BLOB_NOT_FOUND."""
        image = await self._store.image(tenant, image_id)
        return await self._blobs.get(image.blob_id, tenant=tenant)

    async def _put(self, session: SessionRecord, image: DevelopedImage) -> ImageRecord:
        expire_time = self._clock.now() + self._ttl
        blob = await self._blobs.put(image.content, tenant=session.tenant, expire_time=expire_time)
        return ImageRecord(
            id=self._ids.new("img"),
            tenant=session.tenant,
            session_id=session.session_id,
            blob_id=blob.id,
            sha256=blob.sha256,
            media_type=image.media_type,
            width_px=image.width_px,
            height_px=image.height_px,
            size_bytes=blob.size,
            expire_time=expire_time,
        )


def _reference(image: ImageRecord) -> ImageRef:
    return ImageRef(
        id=image.id,
        sha256=image.sha256,
        media_type=image.media_type,
        width_px=image.width_px,
        height_px=image.height_px,
        expire_time=image.expire_time,
    )
