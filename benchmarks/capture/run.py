"""`make bench-capture`: frame to verdict, sessions per core. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.capture.frames import HEIGHT_PX, WIDTH_PX, camera_frames
from benchmarks.capture.load import push_from_cameras
from benchmarks.capture.standing import (
    FLOORS,
    Load,
    Measured,
    as_json,
    floors,
    loads_table,
    percentile,
    sessions_held,
)
from benchmarks.machine import CpuTimes, description
from benchmarks.real_data import ROOT
from benchmarks.report import bullets
from vidence_client import Client

RESULTS = ROOT / "benchmarks" / "results"
_SPEEDS = (10.0, 30.0)
_SLOWEST_START_S = 120.0
_SLOWEST_END_S = 20.0
_WARM_UP_S = 2.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-capture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="for how long each load is kept up")
    parser.add_argument("--most", type=int, default=16, help="sessions on one core that are tried at most")
    parser.add_argument("--trial", action="store_true", help="seconds instead of minutes: means little")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


class _Server:
    """A server process on some cores."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any], cores: int) -> None:
        self._process = process
        self.address: str = ready["address"]
        self.workers: int = ready["workers"]
        self.cores = cores

    async def counters(self) -> dict[str, float]:
        """Its counters now."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        return await _line(self._process)


@asynccontextmanager
async def _server(cores: Sequence[int], frames: Sequence[bytes]) -> AsyncIterator[_Server]:
    """Starts it on these cores; whoever pushes has the others, where there are others."""
    every = os.sched_getaffinity(0)
    command = ["-m", "benchmarks.capture.server_process", "--cores", ",".join(map(str, cores))]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(_SLOWEST_START_S):
            ready = await _line(process)
        os.sched_setaffinity(0, every - set(cores) or every)
        server = _Server(process, ready, len(cores))
        async with Client(server.address) as client:  # nobody pays for the first calls
            await push_from_cameras(client.capture, frames, sessions=1, fps=10, seconds=_WARM_UP_S)
        yield server
    finally:
        os.sched_setaffinity(0, every)
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_SLOWEST_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the server ended; its words are on stderr")
    found: dict[str, Any] = json.loads(line)
    return found


async def _measure(server: _Server, frames: Sequence[bytes], load: Load, seconds: float) -> Measured:
    async with Client(server.address) as client:
        before = await server.counters()
        begin_s = asyncio.get_running_loop().time()
        pushed = await push_from_cameras(
            client.capture, frames, sessions=load.sessions, fps=load.fps, seconds=seconds
        )
        elapsed_s = asyncio.get_running_loop().time() - begin_s
        after = await server.counters()
    spent = {name: after[name] - before[name] for name in after}
    looked_at = max(1, len(pushed.verdict_s))
    measured = Measured(
        load=load,
        frames=pushed.frames,
        processed=len(pushed.verdict_s),
        superseded=pushed.superseded,
        failed=pushed.failed,
        p50_ms=percentile(pushed.verdict_s, 0.5) * 1000,
        p95_ms=percentile(pushed.verdict_s, 0.95) * 1000,
        model_ms=spent["model_s"] / looked_at * 1000,
        other_ms=spent["call_s"] / looked_at * 1000,
        cpu_ms=spent["cpu_s"] / looked_at * 1000,
        cpu_share=spent["cpu_s"] / elapsed_s,
    )
    print(f"{load}: {measured.processed_share:.1%} looked at, p50 {measured.p50_ms:.0f} ms", flush=True)
    return measured


async def _all(options: argparse.Namespace, frames: Sequence[bytes]) -> list[Measured]:
    cores = sorted(os.sched_getaffinity(0))
    seconds, most = (2.0, 2) if options.trial else (options.seconds, options.most)
    measured = []
    async with _server(cores[:1], frames) as server:
        for fps in _SPEEDS:
            for sessions in range(1, most + 1):
                one = await _measure(server, frames, Load(sessions, fps, 1), seconds)
                measured.append(one)
                if not one.holds:
                    break
    async with _server(cores[:2], frames) as server:
        measured.append(await _measure(server, frames, FLOORS[1], seconds))
    return measured


def _publish(
    options: argparse.Namespace,
    measured: Sequence[Measured],
    setting: dict[str, str],
    machine: dict[str, str],
) -> bool:
    wanted = floors(measured)
    held = {f"{fps:g} fps": sessions_held(measured, fps=fps, cores=1) for fps in _SPEEDS}
    words = {f"sessions per core at {speed}": str(count) for speed, count in held.items()}
    text = "\n\n".join(
        [
            loads_table(measured),
            "\n".join(map(str, wanted)).join(("```\n", "\n```")),
            bullets(words),
            bullets(setting | machine),
        ]
    )
    options.results.mkdir(parents=True, exist_ok=True)
    figures = {
        "loads": as_json(measured),
        "sessions_per_core": held,
        "floors": {floor.name: {"value": floor.value, "reached": floor.reached} for floor in wanted},
        "setting": setting,
        "machine": machine,
    }
    (options.results / "capture.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    (options.results / "capture.md").write_text(text + "\n")
    print(f"\n{text}\n\nWritten to {options.results}/capture.md and capture.json")
    return all(floor.reached for floor in wanted)


def main() -> int:
    """Measures, writes the results, and fails where a floor is not reached."""
    options = _arguments()
    if len(os.sched_getaffinity(0)) < 2:
        print("bench-capture needs two cores", file=sys.stderr)
        return 1
    machine = description()
    frames = camera_frames()
    before = CpuTimes.now()
    measured = asyncio.run(_all(options, frames))
    machine["other work meanwhile"] = f"{before.others_share(CpuTimes.now()):.0%} of the cores"
    setting = {
        "frames": f"JPEG, {WIDTH_PX} × {HEIGHT_PX} px, {sum(map(len, frames)) // len(frames) // 1000} kB; "
        "one face that moves, so that sessions go on searching",
        "pushed": "unary calls on time (open loop), over a socket file; by another core where the server has "
        "one, else sharing its two",
        "time": f"{2.0 if options.trial else options.seconds:g} s per load",
    }
    return 0 if _publish(options, measured, setting, machine) else 1


if __name__ == "__main__":
    sys.exit(main())
