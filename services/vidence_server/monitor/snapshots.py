"""Keeps pictures of faces for a while."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import cv2
import structlog

from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine
from vidence_server.monitor.domain.appearances import Sight, Snapshot
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import BlobStore
from vidence_server.vision.faces.face import Box
from vidence_server.vision.image import Pixels

_GROWN = 2.0
_LONGEST_SIDE_PX = 480
_QUALITY = 85


class NoSnapshots:
    """A `SnapshotStore` that keeps nothing."""

    async def keep(self, pixels: Pixels, sight: Sight) -> Snapshot | None:  # noqa: ARG002 - the signature of `SnapshotStore`
        """Nothing."""
        return None

    async def name(self, snapshot: Snapshot, name: str) -> bool:  # noqa: ARG002 - the signature of `SnapshotStore`
        """There is no picture."""
        return True


class BlobSnapshots:
    """A `SnapshotStore` in blobs: JPEG, the face with as much again around it, 480 px at most.

    The reference is `img_` and the UUID of the blob, so that it leads to it without an index. The way from a
    person to pictures is `BlobSubjects`, for the erasure of people.
    """

    def __init__(
        self,
        blobs: BlobStore,
        subjects: BlobSubjects,
        engine: Engine,
        *,
        clock: Clock,
        keep_for: timedelta,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        self._blobs = blobs
        self._subjects = subjects
        self._engine = engine
        self._clock = clock
        self._keep_for = keep_for
        self._tenant = tenant
        self._log = structlog.get_logger(__name__)
        self.failures = 0
        """Pictures that could not be kept, or not be noted as somebody's."""

    async def keep(self, pixels: Pixels, sight: Sight) -> Snapshot | None:
        """Keeps a face; see `SnapshotStore.keep`."""
        expire_time = self._clock.now() + self._keep_for
        try:
            content, width, height = await self._engine.call(
                partial(cut_out, pixels, sight.box), step="monitor-snapshot"
            )
            blob = await self._blobs.put(content, tenant=self._tenant, expire_time=expire_time)
        except DomainError as error:
            self.failures += 1
            self._log.warning("a snapshot is missing", reason=error.reason)
            return None
        return Snapshot(f"img_{blob.id.removeprefix('blb_')}", blob.sha256, width, height, expire_time)

    async def name(self, snapshot: Snapshot, name: str) -> bool:
        """Notes whom a picture shows, or removes it; see `SnapshotStore.name`."""
        blob_id = f"blb_{snapshot.image_id.removeprefix('img_')}"
        try:
            await self._subjects.add(
                blob_id, tenant=self._tenant, subject_id=name, expire_time=snapshot.expire_time
            )
        except DomainError as error:
            self.failures += 1
            self._log.warning("a snapshot is removed: it could not be noted whose it is", reason=error.reason)
            return await self._removed(blob_id)
        return True

    async def _removed(self, blob_id: str) -> bool:
        try:
            await self._blobs.delete(blob_id)
        except DomainError as error:
            self._log.error("somebody is not named: nothing can be written", reason=error.reason)
            return False
        return True


def cut_out(pixels: Pixels, box: Box) -> tuple[bytes, int, int]:
    """A face and what is around it as JPEG, with its width and height in px.

    Raises:
        DomainError: INTERNAL, where it cannot be encoded.
    """
    height, width = pixels.shape[:2]
    around = box.grown(_GROWN)
    left, top = max(0, int(around.left)), max(0, int(around.top))
    right, bottom = min(width, int(around.right) + 1), min(height, int(around.bottom) + 1)
    part = pixels[top:bottom, left:right]
    if part.size == 0:
        raise DomainError(Reason.INTERNAL, "The face is outside of the frame.")
    scale = min(1.0, _LONGEST_SIDE_PX / max(part.shape[:2]))
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    fine, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not fine:
        raise DomainError(Reason.INTERNAL, "The snapshot could not be encoded.")
    return encoded.tobytes(), size[0], size[1]
