"""With encryption on, no file of the data folder has anything of an image or a template; else it has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from sqlalchemy import select, update

from eventually import eventually
from fakes.batch import BatchServer, batch_server, image
from fakes.capture import RunningCapture, capture_server
from fakes.key_service import key_file, key_service, random_key, sealing_with
from fakes.libraries import TENANT, OpenLibrary, made, open_library
from fakes.runtime import error_info, status_of
from vidence.batch.v1 import batch_service_pb2 as batch_pb
from vidence.capture.v1 import capture_service_pb2 as capture_pb
from vidence_server.capture.snapshots import MonitorSnapshots
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.envelope import MAGIC
from vidence_server.encryption.sealing import Sealing
from vidence_server.library import app as library_app
from vidence_server.library.domain.faces import FaceModel, FaceTemplate
from vidence_server.library.tables import FACES
from vidence_server.monitor.app import IMAGES as MONITOR_IMAGES
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.location import StateLocation
from vidence_server.suite.rotation import count_all

pytestmark = [pytest.mark.requirement("R-OP5"), pytest.mark.timeout(500)]
MODEL = FaceModel("sface", "1")
PAGE = "page " + "0123456789abcdef" * 40_000
"""Two and a half chunks."""
COMMAND = [sys.executable, "-c", "from vidence_server.suite.encryption import encryption; encryption()"]


@dataclass
class House:
    """Services on one data folder, and what was given to them."""

    folder: Path
    capture: RunningCapture
    batch: BatchServer
    library: OpenLibrary
    snapshots: FolderBlobs
    secrets: dict[str, bytes] = field(default_factory=dict)
    """What no file may hold, by what it is."""

    async def fill(self) -> None:
        """One image or template through each way there is."""
        camera = await self.capture.create()
        await camera.push_until("COMPLETED")
        for number, captured in enumerate((await camera.get()).captured):
            for kind, found in (("image", captured.image), ("crop", captured.crop)):
                self.secrets[f"capture/{kind}/{number}/{found.id}"] = await self.captured(found.id)
        batch = await self.batch.submit(image(PAGE, "large.jpg"), image("short"))
        await self.batch.ended(batch.batch_id)
        self.secrets[f"batch/{batch.batch_id}/0"] = image(PAGE, "large.jpg").content
        self.secrets[f"batch/{batch.batch_id}/1"] = image("short").content
        await made(self.library, "people")
        for number, subject in enumerate(("anna", "ben", "carl")):
            template = template_of(number)
            await self.library.service.faces.enroll(TENANT, "people", subject, f"fac_{number}", template)
            self.secrets[f"template/{number}"] = template.data
        seen = jpeg_of(7)
        expire_time = SystemClock().now() + timedelta(hours=1)
        blob = await self.snapshots.put(seen, tenant=TENANT, expire_time=expire_time)
        self.secrets[f"capture/snapshot/0/{blob.id.replace('blb_', 'img_')}"] = seen

    async def captured(self, image_id: str) -> bytes:
        call = self.capture.stub.GetImage(capture_pb.GetImageRequest(image_id=image_id))
        return b"".join([message.image_chunk.data async for message in call])

    async def item(self, batch_id: str, index: int) -> bytes:
        request = batch_pb.GetBatchItemImageRequest(batch_id=batch_id, index=index)
        messages = [message async for message in self.batch.batches.GetBatchItemImage(request)]
        return b"".join(message.image_chunk.data for message in messages)

    async def read_back(self) -> None:
        """All that was given comes back as it was, through the services."""
        for name, secret in self.secrets.items():
            match name.split("/"):
                case ["capture", _, _, image_id]:
                    assert await self.captured(image_id) == secret
                case ["batch", batch_id, index]:
                    assert await self.item(batch_id, int(index)) == secret
                case ["template", number]:
                    assert await self.closest(int(number)) == ["anna", "ben", "carl"][int(number)]

    async def closest(self, number: int) -> str:
        found = await self.library.service.faces.search(
            TENANT, "people", template_of(number), k=1, minimum_score=None
        )
        assert found.hits[0].score == pytest.approx(1.0)
        return found.hits[0].subject_id

    def found(self) -> set[str]:
        """The secrets of which a file of the folder has a part."""
        everything = b"\0".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        return {name for name, secret in self.secrets.items() if any(p in everything for p in parts(secret))}


def parts(secret: bytes) -> list[bytes]:
    """Pieces of a secret that no chance repeats; the texts of pages are in results, their pictures not."""
    if secret.startswith(b"\xff\xd8\xff"):
        return [secret[:24]]
    return [secret[start : start + 24] for start in range(0, len(secret) - 24, 64)]


def template_of(number: int) -> FaceTemplate:
    values = np.random.default_rng(number).normal(size=128)
    return FaceTemplate(MODEL, (values / np.linalg.norm(values)).astype("<f4").tobytes())


def jpeg_of(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


@asynccontextmanager
async def house(folder: Path, sealing: Sealing | None) -> AsyncIterator[House]:
    clock = SystemClock()
    ids = IdFactory(clock)
    async with AsyncExitStack() as stack:
        snapshots = await stack.enter_async_context(
            FolderBlobs(folder / MONITOR_IMAGES, clock=clock, ids=ids, form=sealing)
        )
        read_only = FolderBlobs(folder / MONITOR_IMAGES, clock=clock, ids=ids, form=sealing)
        capture = await stack.enter_async_context(
            capture_server(folder, form=sealing, snapshots=MonitorSnapshots({"default": read_only}))
        )
        batch = await stack.enter_async_context(batch_server(folder, form=sealing))
        library = await stack.enter_async_context(open_library(folder, sealing=sealing))
        yield House(folder, capture, batch, library, snapshots)


def settings(keys: Path, data: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "VIDENCE_DATA_DIR": str(data),
        "VIDENCE_ENCRYPTION__MODE": "key_file",
        "VIDENCE_ENCRYPTION__KEY_FILE": str(keys),
        **more,
    }


def by_command(keys: Path, data: Path, service: list[str]) -> dict[str, str]:
    command = "[" + ", ".join(f'"{word}"' for word in service) + "]"
    asked = {
        "VIDENCE_ENCRYPTION__MODE": "command",
        "VIDENCE_ENCRYPTION__COMMAND": command,
        "VIDENCE_ENCRYPTION__COMMAND_REUSE_S": "0",
        "VIDENCE_ENCRYPTION__COMMAND_TIMEOUT_S": "300",
    }
    return settings(keys, data, **asked)


async def run(environ: dict[str, str], *words: str) -> tuple[int, str]:
    """`vidence encryption`, in a process of its own beside the services."""
    done = await asyncio.to_thread(
        subprocess.run, [*COMMAND, *words], env=environ, capture_output=True, text=True, timeout=400
    )
    return done.returncode, done.stdout + done.stderr


async def test_without_encryption_everything_is_found_in_the_files(tmp_path: Path) -> None:
    async with house(tmp_path / "data", None) as plain:
        await plain.fill()
        assert len(plain.secrets) == 8
        assert plain.found() == set(plain.secrets)
        await plain.read_back()


async def test_with_encryption_no_file_has_an_image_or_a_template_and_all_is_read_back(
    tmp_path: Path,
) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"), accept_plain=False)
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
        assert locked.found() == set()  # while the services run: in the log of SQLite too
        await locked.read_back()
        kept = locked.secrets
    async with house(tmp_path / "data", sealing) as again:
        again.secrets = kept
        assert again.found() == set()
        await again.read_back()
        assert await again.library.service.faces.delete_subject(TENANT, "people", "anna") == 1
    numbers = sealing.statistics()
    assert numbers.sealed >= len(kept)
    assert (numbers.refused, numbers.key_failures, numbers.opened_plain) == (0, 0, 0)


async def test_what_was_plain_stays_readable_and_is_encrypted_beside_the_running_services(
    tmp_path: Path,
) -> None:
    data, keys = tmp_path / "data", key_file(tmp_path / "keys.json")
    async with house(data, None) as before:
        await before.fill()
        kept = before.secrets
    async with house(data, sealing_with(keys)) as now:
        now.secrets = kept
        await now.read_back()
        assert now.found() == set(kept)
        code, told = await run(settings(keys, data), "rotate")
        assert code == 0, told
        assert "face templates: 3 rotated, 0 were current, 0 gone, 0 refused" in told
        await eventually(lambda: now.found() == set())
        await now.read_back()
    async with house(data, sealing_with(keys, accept_plain=False)) as strict:
        strict.secrets = kept
        await strict.read_back()


async def test_a_new_key_takes_over_and_the_old_one_may_go(tmp_path: Path) -> None:
    data, old = tmp_path / "data", random_key()
    keys = key_file(tmp_path / "keys.json", old)
    async with house(data, sealing_with(keys)) as locked:
        await locked.fill()
        new = random_key()
        key_file(keys, old, new)
        await locked.read_back()  # the same services: they have read the file again
        later = jpeg_of(8)
        expire_time = SystemClock().now() + timedelta(hours=1)
        blob = await locked.snapshots.put(later, tenant=TENANT, expire_time=expire_time)
        locked.secrets[f"capture/snapshot/1/{blob.id.replace('blb_', 'img_')}"] = later
        code, told = await run(settings(keys, data), "rotate", "--json")
        assert code == 0, told
        key_file(keys, new)
        await locked.read_back()
        assert locked.found() == set()


@pytest.mark.parametrize("calls", [9, 18], ids=["among the images", "among the templates"])
async def test_a_rotation_that_was_killed_is_taken_up_again(tmp_path: Path, calls: int) -> None:
    data, service = tmp_path / "data", key_service(tmp_path / "service")
    environ = by_command(tmp_path / "none", data, service)
    async with house(data, None) as plain:
        await plain.fill()
        kept = plain.secrets
        (tmp_path / "service" / "fault").write_text(f"silent after {calls}")
        process = await asyncio.to_thread(
            subprocess.Popen, [*COMMAND, "rotate"], env=environ, start_new_session=True
        )
        try:
            await eventually((tmp_path / "service" / "stuck").exists, within_s=200)
        finally:
            os.killpg(process.pid, 9)  # the program that it asks is of its group
            await asyncio.to_thread(process.wait)
        assert plain.found()  # something was left to do
        sealed = [path for path in data.rglob("blb_*") if path.read_bytes().startswith(MAGIC)]
        assert sealed
        (tmp_path / "service" / "fault").unlink()
        code, told = await run(environ, "rotate")
        assert code == 0, told
        await eventually(lambda: plain.found() == set())
        counts = await count_all(StateLocation(data), Sealing(), ["default"])
        assert {key_id for by_key in counts.values() for key_id in by_key} == {"first"}
        assert sum(counts["face templates"].values()) == 3
    assert not list(data.rglob("*.part"))
    assert kept


async def test_an_image_that_was_changed_cut_off_or_exchanged_is_not_given_out(tmp_path: Path) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"))
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
        batch_id = next(name.split("/")[1] for name in locked.secrets if name.startswith("batch/"))
        large, small = sorted(
            (locked.folder / "batch-images").iterdir(), key=lambda path: path.stat().st_size, reverse=True
        )
        whole, times = large.read_bytes(), large.stat()

        async def reason_after(change: bytes) -> str:
            large.write_bytes(change)
            os.utime(large, (times.st_mtime, times.st_mtime))  # when it expires
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await locked.item(batch_id, 0)
            return str(error_info(status_of(caught.value)).reason)

        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        assert await reason_after(flipped) == "CIPHERTEXT_INVALID"
        assert await reason_after(whole[:-1]) == "CIPHERTEXT_INVALID"
        assert await reason_after(small.read_bytes()) == "CIPHERTEXT_INVALID"
        assert sealing.statistics().refused == 3
        large.write_bytes(whole)
        os.utime(large, (times.st_mtime, times.st_mtime))
        await locked.read_back()


async def test_templates_that_were_exchanged_find_nobody(tmp_path: Path) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"))
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
    location = StateLocation(tmp_path / "data")
    async with location.database("library", migrations=library_app.MIGRATIONS) as database:
        async with database.snapshot() as snapshot:
            rows = (await snapshot.execute(select(FACES.c.no, FACES.c.template).order_by(FACES.c.no))).all()
        async with database.transaction() as transaction:
            for row, other in ((rows[0], rows[1]), (rows[1], rows[0])):
                await transaction.execute(update(FACES).where(FACES.c.no == row[0]).values(template=other[1]))
    async with open_library(tmp_path / "data", sealing=sealing) as opened:
        with pytest.raises(DomainError) as caught:
            await opened.service.faces.search(TENANT, "people", template_of(2), k=1, minimum_score=None)
        assert caught.value.reason is Reason.CIPHERTEXT_INVALID
        for subject in ("anna", "ben"):
            assert await opened.service.faces.delete_subject(TENANT, "people", subject) == 1
        found = await opened.service.faces.search(TENANT, "people", template_of(2), k=1, minimum_score=None)
        assert [hit.subject_id for hit in found.hits] == ["carl"]
