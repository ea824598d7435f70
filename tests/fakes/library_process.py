"""A library service in a process of its own, with an embedder without a model; run as a script."""

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
class LibraryProcess:
    """The process and where it listens."""

    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def library_process(folder: Path, *, address: str = "127.0.0.1:0") -> Iterator[LibraryProcess]:
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), address.rpartition(":")[2]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = next((line for line in process.stdout if line.startswith("address ")), "")
        assert line, "the process did not start"
        yield LibraryProcess(process, line.split()[1])
    finally:
        process.stdin.close()  # it ends then
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def serve(folder: Path, port: int) -> None:
    from fakes.libraries import library_server

    async with library_server(folder, server_settings={"port": port}) as running:
        print("address", running.server.address, flush=True)  # noqa: T201 - how the test learns it
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
