"""A batch service, or a worker of one, in a process of its own: for tests that kill it."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from fakes.batch import JPEG, document
from fakes.shelf import FakeShelf
from fakes.storage import FakeBus
from vidence_server.batch.app import local_worker, open_service, register, remote_worker
from vidence_server.batch.settings import BatchSettings
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import LogSettings, ServerSettings
from vidence_server.storage.location import StateLocation

CLOCK = SystemClock()
IDS = IdFactory(CLOCK)


class RecordingReader:
    """Reads slowly, and writes down when it began what."""

    def __init__(self, ledger: Path, seconds: float) -> None:
        self._ledger = ledger
        self._seconds = seconds

    async def read(self, content: bytes, *, document_type: str, pdf_page: int, ahead: bool) -> bytes:
        text = content.removeprefix(JPEG).decode()
        with self._ledger.open("a") as file:  # one short line
            file.write(f"{time.time_ns()} {text}\n")
        await asyncio.sleep(self._seconds)
        if text.startswith("bad"):
            raise DomainError(Reason.IMAGE_CORRUPT, "The image is damaged.")
        return document(text).SerializeToString()


class FolderShelf(FakeShelf):
    """A library that outlives its process: a file per document."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        await asyncio.to_thread(self._folder.mkdir, exist_ok=True)
        await asyncio.to_thread((self._folder / document_id).write_bytes, result)


async def serve(folder: Path, port: int, workers: int, reader: RecordingReader) -> None:
    settings = BatchSettings(
        lease_s=1.0, first_retry_s=0.05, longest_retry_s=0.2, max_attempts=50, retention_s=3600
    )
    server = RpcServer(
        ServerSettings(port=port, drain_accept_s=0), metrics=Metrics(version="0"), clock=CLOCK, ids=IDS
    )
    opening = open_service(
        settings,
        StateLocation(folder),
        FakeBus(),
        FolderShelf(folder / "library"),
        clock=CLOCK,
        ids=IDS,
        random=random.random,
        draining=server.result_streams.draining,
    )
    async with opening as opened:
        names = register(server, opened.service)
        async with server:
            for name in names:
                await server.mark_ready(name)
            print(server.port, flush=True)  # noqa: T201  # tells the test that it listens
            if workers:
                async with local_worker(
                    opened.service,
                    reader,
                    concurrency=workers,
                    clock=CLOCK,
                    random=random.random,
                ):
                    await asyncio.Event().wait()
            await asyncio.Event().wait()


async def work(address: str, reader: RecordingReader) -> None:
    async with remote_worker(address, reader, concurrency=2, clock=CLOCK, ids=IDS, random=random.random):
        print("working", flush=True)  # noqa: T201  # as above
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure_logs(LogSettings(level="error"), sys.stderr)
    role, place, number, ledger_path, seconds_text = sys.argv[1:]
    its_reader = RecordingReader(Path(ledger_path), float(seconds_text))
    if role == "work":
        asyncio.run(work(place, its_reader))
    else:
        asyncio.run(serve(Path(place), int(number), 2 if role == "serve-and-work" else 0, its_reader))
