from __future__ import annotations

import asyncio
import gc
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from eventually import PATIENCE_S
from fakes.extraction_servicer import complete
from fakes.runtime import extraction_server, open_work, record
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.lifecycle import serve_until_signal

TESTS = Path(__file__).resolve().parents[2]
PROGRAM = """
import asyncio
import sys

import uvloop

sys.path.insert(0, sys.argv[1])
from fakes.runtime import SERVICE, Work, extraction_server
from vidence_server.runtime.lifecycle import serve_until_signal
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.settings import LogSettings


async def main() -> None:
    configure_logs(LogSettings(format="json"), sys.stderr)
    async with extraction_server(Work(), ready=False, drain_grace_s=float(sys.argv[2])) as running:

        async def warm_up() -> None:
            await running.server.mark_ready(SERVICE)
            print(running.server.address, flush=True)

        await serve_until_signal(running.server, warm_up=warm_up)


uvloop.run(main())
"""


@asynccontextmanager
async def process(drain_grace_s: float) -> AsyncIterator[tuple[Process, str]]:
    """A server in a process of its own, and its address."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(TESTS), str(drain_grace_s), stdout=PIPE, stderr=PIPE
    )
    try:
        assert started.stdout is not None
        address = (await asyncio.wait_for(started.stdout.readline(), PATIENCE_S)).decode().strip()
        assert address
        yield started, address
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@pytest.mark.requirement("R-OP3")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_process_which_then_exits_well(number: signal.Signals) -> None:
    async with process(0.1) as (running, address), grpc.aio.insecure_channel(address) as channel:
        call = pb_grpc.ExtractionServiceStub(channel).ExtractDocument(pb.ExtractDocumentRequest())
        assert isinstance(await call.read(), pb.ExtractDocumentResponse)
        running.send_signal(number)
        seen = await record(call)
        _, errors = await asyncio.wait_for(running.communicate(), PATIENCE_S)
    assert seen.kinds[-1] == "extraction_failed"
    assert seen.code is grpc.StatusCode.UNAVAILABLE
    assert running.returncode == 0
    assert b'"event": "stopped"' in errors
    assert b"Traceback" not in errors


async def test_a_second_signal_ends_the_process_at_once() -> None:
    async with process(3600) as (running, address), grpc.aio.insecure_channel(address) as channel:
        call = pb_grpc.ExtractionServiceStub(channel).ExtractDocument(pb.ExtractDocumentRequest())
        assert isinstance(await call.read(), pb.ExtractDocumentResponse)
        assert running.stderr is not None
        running.send_signal(signal.SIGTERM)
        while b'"draining"' not in await asyncio.wait_for(running.stderr.readline(), PATIENCE_S):
            pass
        running.send_signal(signal.SIGTERM)
        await asyncio.wait_for(running.communicate(), PATIENCE_S)
        assert running.returncode == 0


async def test_a_signal_during_the_warm_up_ends_it() -> None:
    cancelled = asyncio.Event()

    async def warm_up() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with extraction_server(open_work(ending=(complete(),)), ready=False) as running:
        await asyncio.wait_for(serve_until_signal(running.server, warm_up=warm_up), PATIENCE_S)
    assert cancelled.is_set()


async def test_the_collector_leaves_alone_what_there_is_when_the_server_is_ready() -> None:
    def after_the_warm_up() -> None:
        looked_past.append(gc.get_freeze_count())
        signal.raise_signal(signal.SIGTERM)

    async def warm_up() -> None:
        looked_past.append(gc.get_freeze_count())
        asyncio.get_running_loop().call_later(0.05, after_the_warm_up)

    looked_past: list[int] = []
    async with extraction_server(open_work(ending=(complete(),)), ready=False) as running:
        await asyncio.wait_for(serve_until_signal(running.server, warm_up=warm_up), PATIENCE_S)
    assert looked_past[0] == gc.get_freeze_count()
    assert looked_past[1] > 10_000


async def test_a_failed_warm_up_ends_the_serving() -> None:
    async def warm_up() -> None:
        raise DomainError(Reason.MODEL_MISSING, "The weights are missing.")

    async with extraction_server(open_work(), ready=False) as running:
        with pytest.raises(DomainError, match="missing"):
            await serve_until_signal(running.server, warm_up=warm_up)
