"""Pictures of a monitor: each tenant has its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from vidence_server.capture.snapshots import MonitorSnapshots
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.monitor.app import images_of
from vidence_server.storage.blobs import FolderBlobs


@pytest.mark.requirement("R-ST8", "R-CA9")
async def test_a_tenant_gets_the_snapshots_of_its_own_monitors_only(tmp_path: Path) -> None:
    clock = SystemClock()
    jpeg = cv2.imencode(".jpg", np.full((40, 30, 3), 90, np.uint8))[1].tobytes()
    folders = {
        tenant: FolderBlobs(tmp_path / images_of(tenant), clock=clock, ids=IdFactory(clock))
        for tenant in ("default", "acme")
    }
    image_ids = {}
    for tenant, folder in folders.items():
        async with folder:
            blob = await folder.put(jpeg, tenant=tenant, expire_time=clock.now() + timedelta(hours=1))
        image_ids[tenant] = blob.id.replace("blb_", "img_")
    snapshots = MonitorSnapshots(folders)
    for tenant, image_id in image_ids.items():
        assert (await snapshots.find(tenant, image_id)).reference.id == image_id
        for other in {"default", "acme", "nobody"} - {tenant}:
            with pytest.raises(DomainError) as caught:
                await snapshots.find(other, image_id)
            assert caught.value.reason is Reason.IMAGE_NOT_FOUND
