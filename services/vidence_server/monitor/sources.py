"""Cameras, streams and video files, opened with OpenCV."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor.ports import VideoSource
from vidence_server.vision.image import Pixels

_CAMERA = re.compile(r"camera:(\d{1,3})")
_STREAM = re.compile(r"(rtsp|rtsps|http|https)://.+")
_PATIENCE_MS = 5000
_USUAL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """What is watched. Never shows a URL, for it may hold a password."""

    kind: str
    """`camera`, `stream` or `file`."""
    target: str = field(repr=False)
    """Its number, its URL, its path."""

    @property
    def live(self) -> bool:
        """Whether it goes on for ever; a file ends."""
        return self.kind != "file"


def parse_source(text: str) -> SourceAddress:
    """`camera:N`, an RTSP or HTTP URL, or the path of a file.

    Raises:
        DomainError: CONFIGURATION_INVALID, where it is none of them or there is no such file.
    """
    if camera := _CAMERA.fullmatch(text):
        return SourceAddress("camera", camera.group(1))
    if _STREAM.fullmatch(text):
        return SourceAddress("stream", text)
    if not Path(text).is_file():
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "The source is neither a file that exists nor camera:N nor an rtsp://, http:// or https:// URL.",
        )
    return SourceAddress("file", text)


def open_source(address: SourceAddress) -> VideoSource | None:
    """Opens a source; up to 5 s for a stream. None: it cannot be opened now."""
    if address.kind == "camera":
        capture = cv2.VideoCapture(int(address.target), cv2.CAP_V4L2)
    else:
        # Without limits of its own FFmpeg waits half a minute for a silent peer.
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE_MS]
        capture = cv2.VideoCapture(address.target, cv2.CAP_FFMPEG, limits)
    if capture.isOpened():
        return OpenCvSource(capture, live=address.live)
    capture.release()
    return None


class OpenCvSource:
    """A `VideoSource` that OpenCV reads."""

    def __init__(self, capture: cv2.VideoCapture, *, live: bool) -> None:
        self._capture = capture
        self._live = live
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._fps = fps if 0 < fps <= 1000 else _USUAL_FPS
        self._frames = 0

    def grab(self) -> bool:
        """Goes to the next frame; see `VideoSource`."""
        grabbed = bool(self._capture.grab())
        self._frames += grabbed
        return grabbed

    def retrieve(self) -> Pixels | None:
        """The pixels of that frame."""
        fine, pixels = self._capture.retrieve()
        return np.ascontiguousarray(pixels, np.uint8) if fine and pixels is not None else None

    def position_s(self) -> float | None:
        """By the number of the frame: containers may lack times, or have wrong ones."""
        return None if self._live else max(0, self._frames - 1) / self._fps

    def release(self) -> None:
        """Closes it."""
        self._capture.release()
