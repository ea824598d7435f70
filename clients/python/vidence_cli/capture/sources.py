"""Where frames come from: a camera, a video, a folder of pictures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from vidence.capture.v1 import capture_service_pb2
from vidence_cli.extras import missing_extra
from vidence_client.capture import make_frame

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Exactly one of the three.

    Attributes:
        camera: Number of a camera of this machine.
        video: A video file, or what else OpenCV opens.
        images: A folder of pictures, gone through by name.
        fps: Frames a second at most; of pictures exactly; 0: as fast as they come.
    """

    camera: int | None = None
    video: str = ""
    images: Path | None = None
    fps: float = 10.0

    async def frames(self) -> AsyncIterator[capture_service_pb2.Frame]:
        """Gives frames at their speed, until they end.

        Raises:
            click.ClickException: The source cannot be opened, or holds no picture.
        """
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        number = 0
        async for content, live in self._pictures():
            number += 1
            # A recording has no time of its own: what was taken long ago must not look like now.
            yield make_frame(content, number=number, taken=datetime.now(UTC) if live else None)
            if self.fps and not live:
                next_s = max(next_s + 1 / self.fps, loop.time() - 1)
                await asyncio.sleep(max(0.0, next_s - loop.time()))

    async def _pictures(self) -> AsyncIterator[tuple[bytes, bool]]:
        """Encoded pictures, and whether they are taken now."""
        if self.images is not None:
            paths = sorted(path for path in self.images.iterdir() if path.suffix.lower() in _PICTURES)
            if not paths:
                raise click.ClickException(f"there is no picture in {self.images}")
            for path in paths:
                yield await asyncio.to_thread(path.read_bytes), False
            return
        vision = _vision()
        opened: Any = await asyncio.to_thread(
            vision.VideoCapture, self.video if self.camera is None else self.camera
        )
        try:
            if not opened.isOpened():
                name = self.video if self.camera is None else f"camera {self.camera}"
                raise click.ClickException(f"{name} cannot be opened")
            while (content := await asyncio.to_thread(_next_jpeg, vision, opened)) is not None:
                yield content, self.camera is not None
        finally:
            await asyncio.to_thread(opened.release)


def _next_jpeg(vision: Any, opened: Any) -> bytes | None:
    fine, pixels = opened.read()
    if not fine:
        return None
    _, encoded = vision.imencode(".jpg", pixels, [vision.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    content: bytes = encoded.tobytes()
    return content


def _vision() -> Any:
    """OpenCV, by name: a client needs it for cameras and videos only."""
    try:
        return sys.modules.get("cv2") or import_module("cv2")
    except ImportError as error:
        raise click.UsageError(missing_extra(error)) from error
