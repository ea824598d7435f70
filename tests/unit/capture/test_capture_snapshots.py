"""Pictures of a monitor: each tenant has its own, and a person's go when the person is erased."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.monitor_pictures import keep_picture, monitor_folder
from vidence_server.capture.snapshots import MonitorFolder, MonitorSnapshots
from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor.app import images_of
from vidence_server.storage.blob_subjects import BlobSubjects

WHO = "person-4711"


async def found(snapshots: MonitorSnapshots, image_id: str, tenant: str = "default") -> bool:
    try:
        await snapshots.find(tenant, image_id)
    except DomainError as error:
        if error.reason is not Reason.IMAGE_NOT_FOUND:
            raise
        return False
    return True


@pytest.mark.requirement("R-ST8", "R-CA9")
async def test_a_tenant_gets_the_snapshots_of_its_own_monitors_only(tmp_path: Path) -> None:
    tenants = ("default", "acme")
    image_ids = {tenant: await keep_picture(tmp_path, tenant=tenant) for tenant in tenants}
    snapshots = MonitorSnapshots({tenant: monitor_folder(tmp_path, tenant) for tenant in tenants})
    for tenant, image_id in image_ids.items():
        assert (await snapshots.find(tenant, image_id)).reference.id == image_id
        for other in {"default", "acme", "nobody"} - {tenant}:
            assert not await found(snapshots, image_id, other)


@pytest.mark.requirement("R-OP5", "R-ST8", "R-CA9")
async def test_a_persons_snapshots_are_erased_and_nobody_elses(tmp_path: Path) -> None:
    mine = [await keep_picture(tmp_path, WHO) for _ in range(2)]
    others = [await keep_picture(tmp_path, "person-0815"), await keep_picture(tmp_path)]
    theirs = await keep_picture(tmp_path, WHO, "acme")
    snapshots = MonitorSnapshots({tenant: monitor_folder(tmp_path, tenant) for tenant in ("default", "acme")})
    assert await snapshots.erase("nobody", WHO, dry_run=False) == 0
    assert await snapshots.erase("default", WHO, dry_run=True) == 2
    assert all([await found(snapshots, image_id) for image_id in mine])
    assert await snapshots.erase("default", WHO, dry_run=False) == 2
    assert await snapshots.erase("default", WHO, dry_run=False) == 0
    assert not any([await found(snapshots, image_id) for image_id in mine])
    assert all([await found(snapshots, image_id) for image_id in others])
    assert await found(snapshots, theirs, "acme")
    assert kept_files(tmp_path) == 3  # two pictures, one of them with an entry


def kept_files(data: Path) -> int:
    return len(list((data / images_of("default")).iterdir()))


class DyingSubjects(BlobSubjects):
    """Its process dies before entries are removed."""

    async def remove(self, blob_ids: Sequence[str], *, tenant: str, subject_id: str) -> None:
        raise DomainError(Reason.STORAGE_FAILED, "killed")


@pytest.mark.requirement("R-OP5", "R-CA9")
async def test_an_erasure_that_dies_between_bytes_and_entry_is_found_and_ended(tmp_path: Path) -> None:
    image_id = await keep_picture(tmp_path, WHO)
    folder = monitor_folder(tmp_path)
    dying = MonitorSnapshots(
        {"default": MonitorFolder(folder.blobs, DyingSubjects(tmp_path / images_of("default")))}
    )
    with pytest.raises(DomainError):
        await dying.erase("default", WHO, dry_run=False)
    after = MonitorSnapshots({"default": folder})
    assert not await found(after, image_id)
    assert await after.erase("default", WHO, dry_run=True) == 1
    assert await after.erase("default", WHO, dry_run=False) == 1
    assert kept_files(tmp_path) == 0
