"""Many mixed pictures read one after the other, and how much memory the process holds meanwhile.

Run as a program it prints that as JSON: `reading_memory.py COUNT EVERY`.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import app
from vidence_server.extraction.domain.events import ExtractionComplete
from vidence_server.extraction.service import ExtractionRequest
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings

Read = Callable[[bytes, str], Awaitable[None]]
_PROFILES = ("fast", "balanced")
_SIZES = ((320, 200), (200, 320), (480, 160), (400, 400))
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_TEXTS = ("TOTAL 12.50", "4 Lightning Bolt", "Surname ROOK", "P<UTOROOK<<VESNA<<<<<<<<<<<<<<<")
_MOST_AT_ONCE = 2


def mixed_pictures() -> list[bytes]:
    """Texts, sizes and formats, empty and grey pages, and files that are no pictures."""
    found = []
    for number, (width, height) in enumerate(_SIZES * len(_FORMATS)):
        image = Image.new(("RGB", "L")[number % 2], (width, height), "white")
        draw = ImageDraw.Draw(image)
        for row in range(number % 3):
            text = _TEXTS[(number + row) % len(_TEXTS)]
            draw.text((10, 20 + 40 * row), text, fill=0, font=ImageFont.load_default(16))
        content = io.BytesIO()
        image.save(content, _FORMATS[number // len(_SIZES)])
        found.append(content.getvalue())
    return [*found, b"", b"no picture", found[0][:200]]


async def held_bytes(count: int, every: int, *, timeout_s: float) -> list[int]:
    """Reads `count` pictures, two at once; the resident memory in bytes after each `every` of them.

    In a process of its own: what other tests left to the allocator would blur it.
    """
    program = [sys.executable, __file__, str(count), str(every)]
    ran = await asyncio.to_thread(
        subprocess.run, program, check=True, stdout=subprocess.PIPE, timeout=timeout_s
    )
    found: list[int] = json.loads(ran.stdout.splitlines()[-1])
    return found


async def _held_here(count: int, every: int) -> list[int]:
    pictures = mixed_pictures()
    settings = ExtractionSettings(profiles=_PROFILES, profile=_PROFILES[0])
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), app.models(settings))
    clock = SystemClock()
    held = []
    async with Engine(sessions, EngineSettings(workers=2), clock) as engine:
        service = app.build_service(
            settings, engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock)
        )

        async def read(content: bytes, profile: str) -> None:
            try:
                async with aclosing(service.extract(ExtractionRequest(content, profile=profile))) as events:
                    last = [event async for event in events][-1]
                assert isinstance(last, ExtractionComplete)
            except DomainError as error:
                assert error.reason.name.startswith("IMAGE_")  # noqa: PT017 - any of those may be

        for start in range(0, count, every):
            numbers = iter(range(start, start + every))
            await _lanes(numbers, pictures, read)
            held.append(_resident_bytes())
    return held


async def _lanes(numbers: Iterator[int], pictures: Sequence[bytes], read: Read) -> None:
    async def lane() -> None:
        for number in numbers:
            await read(pictures[number % len(pictures)], _PROFILES[number // len(pictures) % 2])

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_MOST_AT_ONCE):
            tasks.create_task(lane())


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_held_here(int(sys.argv[1]), int(sys.argv[2])))))
