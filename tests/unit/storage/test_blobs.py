"""Bytes in a folder, until they expire."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventually import eventually
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.storage.blobs import FolderBlobs

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(minutes=15)


@dataclass
class SetClock(SystemClock):
    """Shows what it was set to."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@asynccontextmanager
async def blobs_in(
    folder: Path, clock: SetClock | None = None, *, sweep_period_s: float = 60.0
) -> AsyncIterator[FolderBlobs]:
    clock = clock or SetClock()
    async with FolderBlobs(
        folder / "blobs", clock=clock, ids=IdFactory(clock), sweep_period_s=sweep_period_s
    ) as blobs:
        yield blobs


@pytest.mark.requirement("R-EX9")
async def test_bytes_come_back_whole_and_in_pieces_also_to_the_next_process(tmp_path: Path) -> None:
    data = os.urandom(600_000)
    async with blobs_in(tmp_path) as blobs:
        ref = await blobs.put(data, tenant="acme", expire_time=SOON)
    assert (ref.sha256, ref.size) == (hashlib.sha256(data).hexdigest(), len(data))
    async with blobs_in(tmp_path) as blobs:
        assert await blobs.get(ref.id, tenant="acme") == data
        pieces = [piece async for piece in blobs.chunks(ref.id, tenant="acme")]
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= 256 * 1024


@pytest.mark.requirement("R-EX9")
async def test_the_files_can_be_read_by_their_owner_only_and_tell_nothing_by_their_names(
    tmp_path: Path,
) -> None:
    async with blobs_in(tmp_path) as blobs:
        ref = await blobs.put(b"secret", tenant="acme", expire_time=SOON)
        [path] = (tmp_path / "blobs").iterdir()
        assert path.name == ref.id
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.requirement("R-EX9")
async def test_what_has_expired_is_not_given_out_and_then_removed(tmp_path: Path) -> None:
    clock = SetClock()
    async with blobs_in(tmp_path, clock) as blobs:
        ref = await blobs.put(b"old", tenant="acme", expire_time=SOON)
        kept = await blobs.put(b"young", tenant="acme", expire_time=SOON + timedelta(hours=1))
        clock.time = SOON
        with pytest.raises(DomainError) as caught:
            await blobs.get(ref.id, tenant="acme")
        assert caught.value.reason is Reason.BLOB_NOT_FOUND
        assert await blobs.sweep() == 1
        assert [path.name for path in (tmp_path / "blobs").iterdir()] == [kept.id]
        assert await blobs.get(kept.id, tenant="acme") == b"young"


@pytest.mark.requirement("R-EX9")
async def test_it_sweeps_by_itself(tmp_path: Path) -> None:
    clock = SetClock()
    async with blobs_in(tmp_path, clock, sweep_period_s=0.01) as blobs:
        await blobs.put(b"old", tenant="acme", expire_time=SOON)
        clock.time = SOON
        await eventually(lambda: not list((tmp_path / "blobs").iterdir()))


async def test_what_a_crash_left_unfinished_is_removed_when_it_is_old(tmp_path: Path) -> None:
    clock = SetClock(datetime.now(UTC))
    async with blobs_in(tmp_path, clock) as blobs:
        left = tmp_path / "blobs" / "blb_x.part"
        left.write_bytes(b"half")
        assert await blobs.sweep() == 0
        clock.time += timedelta(hours=2)
        assert await blobs.sweep() == 1
        assert not left.exists()


@pytest.mark.requirement("R-EX9")
@pytest.mark.parametrize(
    "blob_id", ["", "blb_1", "../secret", "blb_*", "blb_0199c1f0-0000-7000-8000-000000000000"]
)
async def test_ids_that_name_nothing_are_not_found(tmp_path: Path, blob_id: str) -> None:
    (tmp_path / "secret").write_bytes(b"other")
    async with blobs_in(tmp_path) as blobs:
        with pytest.raises(DomainError) as caught:
            await blobs.get(blob_id, tenant="acme")
        assert caught.value.reason is Reason.BLOB_NOT_FOUND
        await blobs.delete(blob_id)
    assert (tmp_path / "secret").exists()


@pytest.mark.requirement("R-EX9")
async def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    async with blobs_in(tmp_path) as blobs:
        ref = await blobs.put(b"x", tenant="acme", expire_time=SOON)
        await blobs.delete(ref.id)
        await blobs.delete(ref.id)
        assert not list((tmp_path / "blobs").iterdir())


async def test_a_folder_that_cannot_be_written_is_said_without_its_contents(tmp_path: Path) -> None:
    async with blobs_in(tmp_path) as blobs:
        folder = tmp_path / "blobs"
        folder.rmdir()
        folder.write_bytes(b"")
        with pytest.raises(DomainError) as caught:
            await blobs.put(b"secret", tenant="acme", expire_time=SOON)
        assert caught.value.reason is Reason.STORAGE_FAILED
        folder.unlink()
