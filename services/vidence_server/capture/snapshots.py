"""Pictures of people whom a monitor saw: kept by the monitor, given out by the same call as captured ones."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from vidence_server.capture.domain.results import ImageRef
from vidence_server.capture.ports import FoundPicture
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import BlobStore

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class MonitorFolder:
    """Where the monitors of a tenant put pictures."""

    blobs: BlobStore
    subjects: BlobSubjects
    """Whom the pictures show that a monitor recognised."""


class MonitorSnapshots:
    """Finds snapshots by the id that a `person.appeared` event names. Fits `ports.Snapshots`.

    Such an id is `img_` and the UUID of the blob, so that nothing but the monitor's folder is needed: the
    monitor is another process, and what it keeps expires by itself. People are erased from it here all the
    same: this is the service that is asked to, and a monitor need not run.
    """

    def __init__(self, folders: Mapping[str, MonitorFolder]) -> None:
        """Snapshots.

        Args:
            folders: Of the monitors of each tenant; they may be missing.
        """
        self._folders = folders

    async def find(self, tenant: str, image_id: str) -> FoundPicture:
        """A snapshot of a tenant's monitor.

        Raises:
            DomainError: IMAGE_NOT_FOUND: unknown or expired; STORAGE_FAILED.
        """
        folder = self._folders.get(tenant)
        if folder is None:
            raise _not_found()
        blobs = folder.blobs
        blob_id = f"blb_{image_id.removeprefix('img_')}"
        try:
            content = await blobs.get(blob_id, tenant=tenant)
        except DomainError as error:
            if error.reason is not Reason.BLOB_NOT_FOUND:
                raise
            raise _not_found() from error
        width, height = await asyncio.to_thread(_size_px, content)
        digest = hashlib.sha256(content).hexdigest()
        reference = ImageRef(image_id, digest, "image/jpeg", width, height, expire_time=None)
        pieces = partial(blobs.chunks, blob_id, tenant=tenant)
        return FoundPicture(reference, len(content), "", pieces)

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> int:
        """Erases the pictures of a subject whom a monitor recognised; see `ports.Snapshots.erase`."""
        folder = self._folders.get(tenant)
        if folder is None:
            return 0
        blob_ids = await folder.subjects.find(tenant, subject_id)
        if not dry_run:
            # Bytes first: while there is an entry, a repetition finds them.
            for blob_id in blob_ids:
                await folder.blobs.delete(blob_id)
            await folder.subjects.remove(blob_ids, tenant=tenant, subject_id=subject_id)
        return len(blob_ids)


def _size_px(content: bytes) -> tuple[int, int]:
    """Width and height of a small JPEG; raises `DomainError`, IMAGE_NOT_FOUND, for anything else."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if pixels is None or not content.startswith(_JPEG):
        raise _not_found()
    return int(pixels.shape[1]), int(pixels.shape[0])


def _not_found() -> DomainError:
    return DomainError(Reason.IMAGE_NOT_FOUND, "No picture has this id, or it has expired.")
