"""A capture service in a process of its own, with scripted eyes; run as a script."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class CaptureProcess:
    """The process and where it listens."""

    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()
        self.process.wait()


@contextmanager
def capture_process(folder: Path) -> Iterator[CaptureProcess]:
    """One life of it on a folder; ends with the context, if it was not killed before."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = next((line for line in process.stdout if line.startswith("address ")), "")
        assert line, "the process did not start"
        yield CaptureProcess(process, line.split()[1])
    finally:
        process.stdin.close()  # it ends then
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def serve(folder: Path) -> None:
    from fakes.capture import capture_server

    async with capture_server(folder) as running:
        print("address", running.running.server.address, flush=True)  # noqa: T201 - how the test learns it
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
