"""Frames on their way: what came, when, and where its time went."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from vidence_server.capture.domain.measurement import Measurement
from vidence_server.capture.domain.states import Target
from vidence_server.capture.ports import EncodedPicture, Picture
from vidence_server.core.errors import DomainError, Reason

_SAMPLE_STEP = 61


class Fate(StrEnum):
    """What became of a frame that was not refused."""

    PROCESSED = "PROCESSED"
    SUPERSEDED = "SUPERSEDED"
    UNNEEDED = "UNNEEDED"


@dataclass(frozen=True, slots=True, eq=False)
class IncomingFrame:
    """A frame as a client sent it."""

    picture: Picture
    number: int = 0
    """The client's count; 0: it does not count."""
    capture_time: datetime | None = None
    """When the camera took it, by the client's clock."""

    def fingerprint(self) -> str:
        """Tells frames apart. Of raw pixels every 61st byte is looked at: all of them would hold the loop."""
        if isinstance(self.picture, EncodedPicture):
            return hashlib.sha256(self.picture.content).hexdigest()
        return hashlib.sha256(self.picture.bgr[::_SAMPLE_STEP]).hexdigest()

    def check(self, *, max_bytes: int, max_pixels: int) -> None:
        """Refuses what can be refused without decoding.

        Raises:
            DomainError: IMAGE_TOO_LARGE, IMAGE_TOO_MANY_PIXELS, FRAME_INVALID.
        """
        picture = self.picture
        size = len(picture.content if isinstance(picture, EncodedPicture) else picture.bgr)
        if isinstance(picture, EncodedPicture):
            if size > max_bytes:
                raise _too_large(Reason.IMAGE_TOO_LARGE, "bytes", max_bytes, size)
            return
        pixels = picture.width_px * picture.height_px
        if pixels > max_pixels:
            raise _too_large(Reason.IMAGE_TOO_MANY_PIXELS, "pixels", max_pixels, pixels)
        if size != 3 * pixels:
            raise DomainError(
                Reason.FRAME_INVALID,
                "The pixels of the frame are not as many as its size says.",
                metadata={"expected": str(3 * pixels), "actual": str(size)},
            )


def _too_large(reason: Reason, unit: str, limit: int, actual: int) -> DomainError:
    return DomainError(
        reason,
        f"The frame has {actual} {unit}; at most {limit} are taken.",
        metadata={"limit": str(limit), "actual": str(actual)},
    )


@dataclass(slots=True, eq=False)
class WaitingFrame:
    """A frame that was accepted, and whoever waits for what becomes of it."""

    picture: Picture
    number: int
    receive_time: datetime
    receive_s: float
    capture_time: datetime | None
    fate: asyncio.Future[Fate] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, fate: Fate) -> None:
        """Tells what became of it."""
        if not self.fate.done():
            self.fate.set_result(fate)

    def refuse(self, error: DomainError) -> None:
        """Tells why it was refused."""
        if not self.fate.done():
            self.fate.set_exception(error)
            self.fate.exception()  # a client that streams does not wait for it


@dataclass(frozen=True, slots=True)
class FrameTiming:
    """The way of one frame through the server."""

    number: int
    receive_time: datetime
    receive_s: float
    """Monotonic."""
    queued_s: float
    inference_s: float
    capture_time: datetime | None


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """The best frame of a window: its picture and what was seen in it."""

    picture: Picture
    seen: Measurement
    timing: FrameTiming
    target: Target
    score: int
