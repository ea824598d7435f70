"""Cameras: each pushes its frames on time, whether or not the one before was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.capture.frames import unlike_any_other
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_client.capture import CaptureClient, SessionKey, make_frame

_START_S = 0.5


@dataclass(slots=True)
class Pushed:
    """What became of the frames of all cameras."""

    verdict_s: list[float] = field(default_factory=list)
    """From pushing a frame to its verdict, of those that were looked at, s."""
    superseded: int = 0
    """Frames that a newer one replaced."""
    failed: int = 0
    """Frames that were refused or not needed: none should be."""

    @property
    def frames(self) -> int:
        """All of them."""
        return len(self.verdict_s) + self.superseded + self.failed

    @property
    def processed_share(self) -> float:
        """Of all frames, 0–1."""
        return len(self.verdict_s) / self.frames if self.frames else 0.0


async def push_from_cameras(
    client: CaptureClient, frames: Sequence[bytes], *, sessions: int, fps: float, seconds: float
) -> Pushed:
    """Runs cameras that do not know of each other, spread evenly over the time between two frames."""
    plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE])
    keys = [await _session(client, plan, seconds) for _ in range(sessions)]
    pushed = Pushed()
    begin_s = asyncio.get_running_loop().time() + _START_S
    async with asyncio.TaskGroup() as cameras:
        for index, key in enumerate(keys):
            first_s = begin_s + index / sessions / fps
            camera = _Camera(client, key, frames, pushed)
            cameras.create_task(camera.film(first_s, fps, round(seconds * fps)))
    for key in keys:
        await client.cancel_session(key.session_id)
    return pushed


async def _session(client: CaptureClient, plan: session_pb2.SessionPlan, seconds: float) -> SessionKey:
    created = await client.create_session(plan, ttl_s=max(60.0, 2 * seconds))
    return SessionKey(created.session.id, created.session_token)


@dataclass(frozen=True, slots=True)
class _Camera:
    """One of them."""

    client: CaptureClient
    key: SessionKey
    frames: Sequence[bytes]
    pushed: Pushed

    async def film(self, first_s: float, fps: float, count: int) -> None:
        """Pushes so many frames, the first at that time of the loop."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as answers:
            for number in range(1, count + 1):
                await asyncio.sleep(max(0.0, first_s + (number - 1) / fps - loop.time()))
                content = unlike_any_other(self.frames[number % len(self.frames)], number)
                answers.create_task(self._push(make_frame(content, number=number)))

    async def _push(self, frame: pb.Frame) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        answer = await self.client.push_frame(self.key, frame)
        match answer.fate:
            case pb.FRAME_FATE_PROCESSED:
                self.pushed.verdict_s.append(loop.time() - begin_s)
            case pb.FRAME_FATE_SUPERSEDED:
                self.pushed.superseded += 1
            case _:
                self.pushed.failed += 1
