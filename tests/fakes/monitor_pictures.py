"""Pictures as monitors keep them, without a monitor."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from vidence_server.capture.snapshots import MonitorFolder
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.monitor.app import images_of
from vidence_server.storage.blob_format import BlobFormat
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import FolderBlobs

KEPT_FOR = timedelta(hours=1)


def jpeg(mark: bytes = b"") -> bytes:
    """A picture of 30 × 40 px with bytes after its end, which nobody minds."""
    return cv2.imencode(".jpg", np.full((40, 30, 3), 90, np.uint8))[1].tobytes() + mark


def monitor_folder(
    data: Path, tenant: str = "default", *, clock: Clock | None = None, form: BlobFormat | None = None
) -> MonitorFolder:
    """Where monitors of a tenant keep pictures, not swept: its context is not entered."""
    clock, folder = clock or SystemClock(), data / images_of(tenant)
    return MonitorFolder(
        FolderBlobs(folder, clock=clock, ids=IdFactory(clock), form=form), BlobSubjects(folder)
    )


async def keep_picture(
    data: Path,
    subject_id: str = "",
    tenant: str = "default",
    *,
    mark: bytes = b"",
    form: BlobFormat | None = None,
    keep_for: timedelta = KEPT_FOR,
) -> str:
    """Keeps a picture of somebody; empty: of somebody whom the monitor did not recognise. Gives its id."""
    folder, expire_time = monitor_folder(data, tenant, form=form), SystemClock().now() + keep_for
    (data / images_of(tenant)).mkdir(mode=0o700, parents=True, exist_ok=True)
    blob = await folder.blobs.put(jpeg(mark), tenant=tenant, expire_time=expire_time)
    if subject_id:
        await folder.subjects.add(blob.id, tenant=tenant, subject_id=subject_id, expire_time=expire_time)
    return blob.id.replace("blb_", "img_")
