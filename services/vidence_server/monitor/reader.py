"""Reads frames in a thread of its own, for a loop that may be slower than the camera."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from vidence_server.core.clock import Clock
from vidence_server.monitor.domain.pace import Pace
from vidence_server.monitor.ports import OpenSource, VideoSource
from vidence_server.vision.image import Pixels

_CLOSE_S = 2.0
_ROUNDING_S = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture of the source."""

    pixels: Pixels
    at_s: float
    """Rises from frame to frame: the position in a video, the monotonic clock of a live source."""
    time: datetime
    """When it was read; of a video the time when its reading began, and the position."""
    position_s: float | None
    """In the video; None: a live source."""


class SourceFailedError(Exception):
    """The source cannot be opened, or gave nothing for too long."""


@dataclass(slots=True)
class ReaderCounts:
    """What a reader did. One may be given to several readers, one after another."""

    read: int = 0
    """Frames that the source gave."""
    skipped: int = 0
    """Those between two that are wanted by `Pace.max_fps`."""
    dropped: int = 0
    """Those that a newer one replaced before anybody took them."""
    unreadable: int = 0
    """Those whose pixels could not be had."""


class FrameReader:
    """Reads from the beginning of its context to the end, or to that of the source.

    Overflow policy NEWEST_WINS: one frame waits; the next takes its place and the old one is counted as
    dropped. Where a video is not read at its own speed, its reader waits instead.

    Args:
        open_source: Called in the thread.
        pace: How fast.
        clock: Time of live sources.
        counts: What is counted.
    """

    def __init__(self, open_source: OpenSource, pace: Pace, *, clock: Clock, counts: ReaderCounts) -> None:
        self._open_source = open_source
        self._pace = pace
        self._clock = clock
        self._counts = counts
        self._room = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self._opened = False
        self._stopped = threading.Event()
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        # A driver may hang for ever; a process must be able to end all the same.
        self._thread = threading.Thread(target=self._read, name="frames of the source", daemon=True)

    async def __aenter__(self) -> Self:
        """Starts the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the thread; one that hangs in a driver is left behind, and ends when the driver gives in."""
        self._stopped.set()
        with self._room:
            self._room.notify_all()
        await asyncio.to_thread(self._thread.join, _CLOSE_S)

    @property
    def opened(self) -> bool:
        """Whether the source could be opened."""
        return self._opened

    async def next(self, patience_s: float) -> Frame | None:
        """The newest frame that was not given out; None: the source has no more.

        Raises:
            SourceFailedError: It could not be opened, or gave no frame within `patience_s`.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._told.wait()
        except TimeoutError:
            raise SourceFailedError("silent") from None
        with self._room:
            frame, self._frame = self._frame, None
            if not self._ended:
                self._told.clear()
            self._room.notify_all()
        if frame is None and not self._opened:
            raise SourceFailedError("not opened")
        return frame

    def _read(self) -> None:
        source = self._open_source()
        try:
            if source is not None:
                self._opened = True
                self._read_from(source)
        finally:
            if source is not None:
                source.release()
            with self._room:
                self._ended = True
            self._tell()

    def _read_from(self, source: VideoSource) -> None:
        begin_s, begin = self._clock.monotonic(), self._clock.now()
        due_s = 0.0
        first = True
        while not self._stopped.is_set() and source.grab():
            position_s = source.position_s()
            at_s = self._clock.monotonic() if position_s is None else position_s
            self._counts.read += 1
            if not first and at_s < due_s - _ROUNDING_S:
                self._counts.skipped += 1
                continue
            # From where it was due, so that the mean is what was asked for; never more than a frame behind.
            due_s = max(at_s if first else due_s, at_s - 1 / self._pace.max_fps) + 1 / self._pace.max_fps
            first = False
            if position_s is not None and self._pace.as_recorded:
                self._stopped.wait(max(0.0, begin_s + position_s - self._clock.monotonic()))
            pixels = source.retrieve()
            if pixels is None:
                self._counts.unreadable += 1
                continue
            time = self._clock.now() if position_s is None else begin + timedelta(seconds=position_s)
            self._offer(Frame(pixels, at_s, time, position_s))

    def _offer(self, frame: Frame) -> None:
        waits = frame.position_s is not None and not self._pace.as_recorded
        with self._room:
            while waits and self._frame is not None and not self._stopped.is_set():
                self._room.wait()
            if self._stopped.is_set():
                return
            if self._frame is not None:
                self._counts.dropped += 1
            self._frame = frame
        self._tell()

    def _tell(self) -> None:
        # The loop may be over where this thread had been left behind.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._told.set)
