"""Rotation finds what every tenant's monitors keep."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fakes.key_service import key_file, random_key, sealing_with
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.monitor.app import images_of
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.location import StateLocation
from vidence_server.suite.rotation import count_all, rotate_all

TENANTS = ["default", "acme"]
PICTURE = b"a face that nobody else may see" * 9


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_plain_snapshots_of_each_tenant_are_encrypted_for_it(tmp_path: Path) -> None:
    clock = SystemClock()
    kept = {}
    for tenant in TENANTS:
        async with FolderBlobs(tmp_path / images_of(tenant), clock=clock, ids=IdFactory(clock)) as plain:
            later = clock.now() + timedelta(hours=1)
            kept[tenant] = (await plain.put(PICTURE, tenant=tenant, expire_time=later)).id
        index = BlobSubjects(tmp_path / images_of(tenant))
        await index.add(kept[tenant], tenant=tenant, subject_id="anna", expire_time=later)
    location = StateLocation(tmp_path)
    sealing = sealing_with(key_file(tmp_path / "keys.json", random_key()))
    done = [place async for place in rotate_all(location, sealing, TENANTS, lambda place, count: None)]
    assert {place.place for place in done if place.rotated} == {images_of(tenant) for tenant in TENANTS}
    for tenant, blob_id in kept.items():
        folder = tmp_path / images_of(tenant)
        assert PICTURE not in (folder / blob_id).read_bytes()
        sealed = FolderBlobs(folder, clock=clock, ids=IdFactory(clock), form=sealing)
        assert await sealed.get(blob_id, tenant=tenant) == PICTURE
        assert await BlobSubjects(folder).find(tenant, "anna") == [blob_id]
        with pytest.raises(DomainError) as caught:
            await sealed.get(blob_id, tenant="somebody-else")
        assert caught.value.reason is Reason.CIPHERTEXT_INVALID
    counts = await count_all(location, Sealing(), TENANTS)
    assert all(not counts[images_of(tenant)].by_key[""] for tenant in TENANTS)
