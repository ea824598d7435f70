"""Capture with the real models behind a real server, and what stands before its camera."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fakes.capture import RunningCapture
from fakes.capture_scripts import ScriptedEyes
from fakes.face_pictures import ASTRONAUT, decoded, picture_bytes
from fakes.runtime import running_server
from fakes.storage import FakeBus
from vidence_server.capture.app import MODELS, build_helpers, open_service, register
from vidence_server.capture.servicer import SERVICE_NAME
from vidence_server.capture.settings import CaptureSettings
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import app as extraction
from vidence_server.extraction import convert
from vidence_server.extraction.service import ExtractionRequest
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.runtime.server import RpcServer
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings


@asynccontextmanager
async def capture_with_models(folder: Path, **more: Any) -> AsyncIterator[RunningCapture]:
    """The service with one worker; sessions are quick."""
    clock = SystemClock()
    ids = IdFactory(clock)
    settings = CaptureSettings(**{"stable_frames": 3, "stable_s": 0, "countdown_s": 0.0, **more})
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), (*MODELS, *extraction.MODELS))
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(sessions, EngineSettings(workers=1), clock))
        reader = extraction.build_service(
            ExtractionSettings(), engine=engine, sessions=sessions, clock=clock, ids=ids
        )

        async def extract(request: Any) -> AsyncIterator[Any]:
            async for event in reader.extract(ExtractionRequest(request.content)):
                yield convert.to_response(event)

        helpers = build_helpers(settings, engine=engine, sessions=sessions, extract=extract)
        blobs = await stack.enter_async_context(FolderBlobs(folder / "blobs", clock=clock, ids=ids))
        bus = FakeBus()
        bus.answering.set()
        capture = await stack.enter_async_context(
            open_service(
                settings, folder, helpers, blobs, bus, clock=clock, ids=ids, random=random.Random(1).random
            )
        )

        def services(rpc_server: RpcServer) -> dict[str, Any]:
            register(rpc_server, capture, clock)
            return {}

        running = await stack.enter_async_context(running_server(services, ready=False))
        await running.server.mark_ready(SERVICE_NAME)
        yield RunningCapture(running, capture, ScriptedEyes(), bus)


def frames_of(picture: np.ndarray[Any, np.dtype[np.uint8]], count: int) -> list[bytes]:
    """The same scene with the noise of a sensor, as JPEG."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(count):
        noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        made.append(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
    return made


def person_before_a_camera() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The astronaut's head and shoulders as a webcam sees them."""
    whole = decoded(picture_bytes(ASTRONAUT))
    height, width = whole.shape[:2]
    head = whole[: round(0.72 * height), round(0.08 * width) : round(0.82 * width)]
    return np.asarray(cv2.resize(head, (640, round(640 * head.shape[0] / head.shape[1]))), np.uint8)
