"""Vidence as an engine process: the pipeline called directly, or over gRPC with streaming.

`--server ADDRESS` takes the Python SDK to a running server; without it the pipeline runs here. Speaks what
`peers/protocol.py` describes, and works on any number of pictures at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import uvloop

from benchmarks.ours import Pipeline, open_pipeline
from vidence.type.v1 import geometry_pb2
from vidence_client import Client, RetryPolicy
from vidence_server.extraction.profiles import ACCURATE, PROFILES
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.vision.geometry import Quad

Answer = dict[str, Any]
Read = Callable[[bytes], Awaitable[Answer]]
_READY_WITHIN_S = 60.0


def _line(text: str, quad: Quad | geometry_pb2.Quad) -> Answer:
    corners = (quad.top_left, quad.top_right, quad.bottom_right, quad.bottom_left)
    return {"text": text, "corners": [[point.x, point.y] for point in corners]}


def direct(pipeline: Pipeline) -> Read:
    """Reads by calling the service."""

    async def read(content: bytes) -> Answer:
        sessions, calls = pipeline.session_seconds(), pipeline.call_seconds()
        complete = await pipeline.complete(content, "text")
        document, latency = complete.document, complete.latency
        # meaningful only while one picture is in flight
        extra = {
            "session_seconds": pipeline.session_seconds() - sessions,
            "call_seconds": pipeline.call_seconds() - calls,
            "workers": pipeline.engine.workers,
            "first_line_share": (latency.first_field_s or latency.total_s) / latency.total_s,
        }
        lines = [_line(field.value, field.quad) for field in document.fields if field.quad]
        return {"lines": lines, "extra": extra}

    return read


def streamed(client: Client) -> Read:
    """Reads over gRPC and takes every message of the stream."""

    async def read(content: bytes) -> Answer:
        lines = []
        first = 0.0
        start = time.perf_counter()
        async with client.extraction.extract(content, document_type="text") as stream:
            async for message in stream:
                if message.WhichOneof("payload") != "extraction_field":
                    continue
                first = first or time.perf_counter() - start
                field = message.extraction_field.field
                lines.append(_line(field.value, field.box))
        share = first / (time.perf_counter() - start)
        return {"lines": lines, "extra": {"first_line_seconds": first, "first_line_share": share}}

    return read


async def _serve(ready: str, read: Read, answers: TextIO) -> None:
    print(json.dumps({"ready": ready}), file=answers)
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        while line := await requests.readline():
            request = json.loads(line)
            tasks.create_task(_answer(request["id"], Path(request["path"]), read, answers))


async def _answer(number: int, path: Path, read: Read, answers: TextIO) -> None:
    content = await asyncio.to_thread(path.read_bytes)
    start = time.perf_counter()
    answer = await read(content)
    print(json.dumps({"id": number, **answer, "seconds": time.perf_counter() - start}), file=answers)


async def _run(server: str, profile: str, answers: TextIO) -> None:
    name = f"vidence {version('vidence')} {profile}"
    if not server:
        settings = ExtractionSettings(profiles=(profile,), profile=profile)
        async with open_pipeline(settings) as pipeline:
            await _serve(name, direct(pipeline), answers)
        return
    # the server may still be starting
    async with Client(server, retry=RetryPolicy(attempts=1000, maximum_delay_s=5)) as client:
        await client.extraction.list_document_types(timeout=_READY_WITHIN_S)
        await _serve(name, streamed(client), answers)


def main() -> None:
    """Answers until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="", help="host:port or unix:PATH")
    parser.add_argument("--profile", choices=PROFILES, default=ACCURATE.name, help="without --server")
    options = parser.parse_args()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)
        uvloop.run(_run(options.server, options.profile, answers))


if __name__ == "__main__":
    main()
