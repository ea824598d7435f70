"""Blobs are found by the person whom they show, for as long as they are there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.storage import blobs as blobs_module
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import FolderBlobs

pytestmark = pytest.mark.requirement("R-OP5")
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
WHO = "person-4711"


@dataclass
class SetClock(SystemClock):
    """Shows what it was set to."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@asynccontextmanager
async def folder_of(path: Path, clock: SetClock | None = None) -> AsyncIterator[FolderBlobs]:
    clock = clock or SetClock()
    async with FolderBlobs(path, clock=clock, ids=IdFactory(clock)) as blobs:
        yield blobs


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def put(blobs: FolderBlobs, index: BlobSubjects, who: str, tenant: str = "acme") -> str:
    blob = await blobs.put(b"a face", tenant=tenant, expire_time=SOON)
    await index.add(blob.id, tenant=tenant, subject_id=who, expire_time=SOON)
    return blob.id


async def test_a_persons_blobs_are_found_and_nobody_elses(tmp_path: Path) -> None:
    async with folder_of(tmp_path) as blobs:
        index = BlobSubjects(tmp_path)
        mine = sorted([await put(blobs, index, WHO), await put(blobs, index, WHO)])
        other = await put(blobs, index, "person-471")
        await blobs.put(b"of nobody", tenant="acme", expire_time=SOON)
        await index.add(mine[0], tenant="acme", subject_id=WHO, expire_time=SOON)  # again
        assert await BlobSubjects(tmp_path).find("acme", WHO) == mine
        assert await index.find("acme", "person-471") == [other]
        assert await index.find("globex", WHO) == []
        assert await index.find("acme", "") == []
        await index.remove(mine[:1], tenant="acme", subject_id=WHO)
        await index.remove(mine[:1], tenant="acme", subject_id=WHO)
        assert await index.find("acme", WHO) == mine[1:]
        assert await index.find("acme", "person-471") == [other]


async def test_no_name_of_a_person_is_on_the_disk(tmp_path: Path) -> None:
    async with folder_of(tmp_path) as blobs:
        await put(blobs, BlobSubjects(tmp_path), "Ada Lovelace/../ä")
        paths = files(tmp_path)
        assert len(paths) == 2
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
        everything = b"".join(str(path).encode() + path.read_bytes() for path in paths)
        assert not any(part in everything for part in (b"Ada", b"Lovelace", b"acme"))


async def test_a_folder_that_no_monitor_made_has_nobody(tmp_path: Path) -> None:
    index = BlobSubjects(tmp_path / "none")
    assert await index.find("acme", WHO) == []
    await index.remove([], tenant="acme", subject_id=WHO)
    with pytest.raises(DomainError) as caught:
        await index.add(
            "blb_0199c1f0-0000-7000-8000-000000000000", tenant="acme", subject_id=WHO, expire_time=SOON
        )
    assert caught.value.reason is Reason.STORAGE_FAILED


@pytest.mark.parametrize("blob_id", ["", "blb_1", "blb_../../secret"])
async def test_what_is_no_blob_gets_no_entry(tmp_path: Path, blob_id: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        await BlobSubjects(tmp_path).add(blob_id, tenant="acme", subject_id=WHO, expire_time=SOON)
    assert files(tmp_path) == []


async def test_entries_go_with_what_expires(tmp_path: Path) -> None:
    clock = SetClock()
    async with folder_of(tmp_path, clock) as blobs:
        index = BlobSubjects(tmp_path)
        await put(blobs, index, WHO)
        clock.time = SOON - timedelta(seconds=1)
        assert await blobs.sweep() == 0
        clock.time = SOON
        # Not given out any more, but on the disk: whoever erases must find it.
        assert len(await index.find("acme", WHO)) == 1
        assert await blobs.sweep() == 2
        assert files(tmp_path) == []


@pytest.mark.parametrize("survived", range(7))
async def test_a_sweep_that_is_killed_leaves_no_blob_without_its_entry(
    tmp_path: Path, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    async with folder_of(tmp_path, clock) as blobs:
        index = BlobSubjects(tmp_path)
        before = {await put(blobs, index, WHO) for _ in range(3)}
        clock.time = SOON
        removed: list[str] = []
        remove = blobs_module._remove

        def killed_after_some(folder: Path, name: str) -> None:
            if len(removed) == survived:
                raise OSError("killed")
            removed.append(name)
            remove(folder, name)

        with monkeypatch.context() as patched:
            patched.setattr(blobs_module, "_remove", killed_after_some)
            if survived < 6:
                with pytest.raises(DomainError):
                    await blobs.sweep()
            else:
                assert await blobs.sweep() == 6
        left = {path.name for path in files(tmp_path)} & before
        assert left <= set(await index.find("acme", WHO))


async def test_what_a_crash_left_of_an_entry_is_none_and_does_not_stop_the_next(tmp_path: Path) -> None:
    clock = SetClock(datetime.now(UTC))
    async with folder_of(tmp_path, clock) as blobs:
        index = BlobSubjects(tmp_path)
        blob = await blobs.put(b"a face", tenant="acme", expire_time=clock.time + timedelta(days=1))
        later = clock.time + timedelta(days=1)
        await index.add(blob.id, tenant="acme", subject_id=WHO, expire_time=later)
        (entry,) = [path for path in files(tmp_path) if path.name.startswith("sub_")]
        half = entry.rename(entry.with_name(entry.name + ".part"))
        assert await index.find("acme", WHO) == []
        await index.add(blob.id, tenant="acme", subject_id=WHO, expire_time=later)
        assert await index.find("acme", WHO) == [blob.id]
        half.touch()
        clock.time += timedelta(hours=2)
        assert await blobs.sweep() == 1
        assert files(tmp_path) == sorted([tmp_path / blob.id, entry])
