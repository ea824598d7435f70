"""Starts everybody who takes part."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.ocr.contest import Entry
from benchmarks.processes import PEERS, EngineProcess, Peer, engine_process
from benchmarks.real_data import ROOT

DIRECT = "vidence accurate"
STREAMED = "vidence accurate, gRPC + streaming"
BALANCED = "vidence balanced"
REFERENCE = "rapidocr"
SMALL_PEER = "faster-paddle small"
OTHER_PROFILES = ("fast", "balanced", "balanced-int8")
"""Each in a process of its own, called directly, beside `accurate`."""

_OWN_PATH = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
_ONE_PROCESS = "one process, two calls in flight"
_OWN = (sys.executable, "-m", "benchmarks.ocr.vidence_process")


@asynccontextmanager
async def open_entries(peers: Sequence[Peer], log: Path) -> AsyncIterator[list[Entry]]:
    """All engines, ready; they end with the context.

    Args:
        peers: Those that can run here.
        log: Where the processes' stderr goes.
    """
    async with AsyncExitStack() as stack:
        entries = [await _peer(stack, peer, log) for peer in peers]
        own = await stack.enter_async_context(engine_process(DIRECT, _OWN, log=log, environ=_OWN_PATH))
        address = await stack.enter_async_context(_server(log))
        rpc = await stack.enter_async_context(
            engine_process(STREAMED, (*_OWN, "--server", address), log=log, environ=_OWN_PATH)
        )
        for profile in OTHER_PROFILES:
            command = (*_OWN, "--profile", profile)
            other = await stack.enter_async_context(
                engine_process(f"vidence {profile}", command, log=log, environ=_OWN_PATH)
            )
            entries.append(_ours(other, _ONE_PROCESS))
        entries.append(_ours(own, _ONE_PROCESS))
        entries.append(_ours(rpc, "one server, two streams"))
        yield entries


def _ours(engine: EngineProcess, mode: str) -> Entry:
    return Entry(engine.name, engine, (engine, engine), mode, is_peer=False)


async def _peer(stack: AsyncExitStack, peer: Peer, log: Path) -> Entry:
    alone, first, second = [
        await stack.enter_async_context(
            engine_process(
                peer.name, peer.command(one_thread=one_thread), log=log, environ=dict(peer.environ)
            )
        )
        for one_thread in (False, True, True)
    ]
    return Entry(peer.name, alone, (first, second), "two processes, one thread each", is_peer=True)


@asynccontextmanager
async def _server(log: Path) -> AsyncIterator[str]:
    """`vidence serve extraction` on a socket file; gives its address."""
    with tempfile.TemporaryDirectory(prefix="vidence-bench-") as folder, log.open("ab") as words:
        address = f"unix:{folder}/server.sock"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vidence_server", "serve", "extraction", "--host", address,
            stdin=asyncio.subprocess.DEVNULL, stdout=words, stderr=words, env=_server_environment(),
        )  # fmt: skip
        try:
            yield address
        finally:
            process.terminate()
            await process.wait()


def _server_environment() -> dict[str, str]:
    return {**os.environ, "VIDENCE_METRICS__ENABLED": "false", "VIDENCE_LOG__LEVEL": "info"}


def runnable() -> tuple[list[Peer], list[str]]:
    """The peers that can run here, and why the others cannot."""
    present = [peer for peer in PEERS if not peer.missing]
    absent = [f"{peer.name}: {peer.missing}" for peer in PEERS if peer.missing]
    return present, absent
