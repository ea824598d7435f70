"""Services that keep images and templates in one data folder, and what of them may not be found there."""

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
import numpy as np
import pytest

from fakes.batch import BatchServer, batch_server, image
from fakes.capture import RunningCapture, capture_server
from fakes.libraries import TENANT, OpenLibrary, made, open_library
from fakes.monitor_pictures import monitor_folder
from vidence.batch.v1 import batch_service_pb2 as batch_pb
from vidence.capture.v1 import capture_service_pb2 as capture_pb
from vidence_server.capture.app import MIGRATIONS as CAPTURE_MIGRATIONS
from vidence_server.capture.snapshots import MonitorSnapshots
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.library.domain.faces import FaceModel, FaceTemplate
from vidence_server.monitor.app import IMAGES as MONITOR_IMAGES
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.location import StateLocation

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

    @property
    def pieces(self) -> dict[str, list[bytes]]:
        """Of each secret, what may be found of it."""
        return {name: parts(secret) for name, secret in self.secrets.items()}

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
async def house(folder: Path, sealing: Sealing | None, url: str = "") -> AsyncIterator[House]:
    """Services that keep images in this folder, and rows in SQLite there or in the database with this URL."""
    place = StateLocation(folder, url=url)
    clock = SystemClock()
    ids = IdFactory(clock)
    async with AsyncExitStack() as stack:
        snapshots = await stack.enter_async_context(
            FolderBlobs(folder / MONITOR_IMAGES, clock=clock, ids=ids, form=sealing)
        )
        capture = await stack.enter_async_context(
            capture_server(
                folder,
                form=sealing,
                snapshots=MonitorSnapshots({"default": monitor_folder(folder, form=sealing)}),
                database=place.database("capture", migrations=CAPTURE_MIGRATIONS),
            )
        )
        batch = await stack.enter_async_context(batch_server(place, form=sealing))
        library = await stack.enter_async_context(open_library(folder, location=place, sealing=sealing))
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
