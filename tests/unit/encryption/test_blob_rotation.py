"""A folder of images under another key, beside those who use it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.key_service import key_file, random_key, sealing_with
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.blob_rotation import (
    RotatedBlobs,
    count_folder_keys,
    plain_blobs,
    rotate_folder,
)
from vidence_server.encryption.key_counts import KeyCounts
from vidence_server.encryption.sealing import Sealing
from vidence_server.storage.blobs import FolderBlobs

pytestmark = pytest.mark.requirement("R-OP5")
TENANT = "acme"
SOON = datetime.now(UTC) + timedelta(hours=1)


def blobs_in(folder: Path, sealing: Sealing | None) -> FolderBlobs:
    clock = SystemClock()
    return FolderBlobs(folder, clock=clock, ids=IdFactory(clock), form=sealing)


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[dict[str, bytes]]:
    """What is in the folder `images` unencrypted, by id."""
    kept = {}
    async with blobs_in(tmp_path / "images", None) as blobs:
        for size in (0, 10, 300_000):
            data = os.urandom(size)
            kept[(await blobs.put(data, tenant=TENANT, expire_time=SOON)).id] = data
        yield kept


def rotate(tmp_path: Path, sealing: Sealing, tenant: str | None = TENANT) -> RotatedBlobs:
    return rotate_folder(tmp_path / "images", sealing, lambda _: tenant, lambda _: None)


async def test_plain_images_are_encrypted_once_and_keep_their_time(
    tmp_path: Path, plain: dict[str, bytes]
) -> None:
    old, new = random_key(), random_key()
    path = key_file(tmp_path / "keys.json", old)
    sealing = sealing_with(path, accept_plain=False)
    assert set(plain_blobs(tmp_path / "images")) == set(plain)
    assert rotate(tmp_path, sealing) == RotatedBlobs(rotated=3)
    assert rotate(tmp_path, sealing) == RotatedBlobs(current=3)
    assert count_folder_keys(tmp_path / "images", sealing) == KeyCounts(Counter({old.key_id: 3}))
    key_file(path, old, new)
    # Whose they are is not asked any more: what is encrypted keeps its label.
    assert rotate(tmp_path, sealing, tenant=None) == RotatedBlobs(rotated=3)
    key_file(path, new)
    async with blobs_in(tmp_path / "images", sealing) as blobs:
        for blob_id, data in plain.items():
            assert await blobs.get(blob_id, tenant=TENANT) == data
            kept = tmp_path / "images" / blob_id
            assert abs(kept.stat().st_mtime - SOON.timestamp()) < 1e-3
            assert kept.stat().st_mode & 0o777 == 0o600
            with pytest.raises(DomainError) as caught:
                await blobs.get(blob_id, tenant="other")
            assert caught.value.reason is Reason.CIPHERTEXT_INVALID
    assert plain_blobs(tmp_path / "images") == []


async def test_an_image_that_is_deleted_meanwhile_does_not_come_back(
    tmp_path: Path, plain: dict[str, bytes]
) -> None:
    folder = tmp_path / "images"

    class Deleting(Sealing):
        """Deletes what is being rotated, at the last moment."""

        def reseal(self, source: object, target: object, label: object) -> None:
            super().reseal(source, target, label)  # type: ignore[arg-type]  # as it is called
            (folder / label.id).unlink()  # type: ignore[attr-defined]  # a `BlobLabel`

    own = sealing_with(key_file(tmp_path / "keys.json"))
    assert rotate(tmp_path, Deleting(own._keys)) == RotatedBlobs(gone=len(plain))
    assert list(folder.iterdir()) == []


async def test_what_nobody_owns_or_nobody_can_read_stays_as_it_is(
    tmp_path: Path, plain: dict[str, bytes]
) -> None:
    first = key_file(tmp_path / "keys.json")
    assert rotate(tmp_path, sealing_with(first), tenant=None) == RotatedBlobs(refused=len(plain))
    assert set(plain_blobs(tmp_path / "images")) == set(plain)
    rotate(tmp_path, sealing_with(first))
    before = {path: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    other = sealing_with(key_file(tmp_path / "other.json"))
    assert rotate(tmp_path, other) == RotatedBlobs(refused=len(plain))
    assert {path: path.read_bytes() for path in (tmp_path / "images").iterdir()} == before


async def test_what_a_killed_rotation_left_is_written_over(tmp_path: Path, plain: dict[str, bytes]) -> None:
    folder = tmp_path / "images"
    left = folder / f"{next(iter(plain))}.rotated.part"
    left.write_bytes(b"half" * 1000)
    assert rotate(tmp_path, sealing_with(key_file(tmp_path / "keys.json"))) == RotatedBlobs(rotated=3)
    assert not left.exists()
    missing = rotate_folder(
        tmp_path / "nothing",
        sealing_with(key_file(tmp_path / "keys.json")),
        lambda _: TENANT,
        lambda _: None,
    )
    assert missing == RotatedBlobs()
