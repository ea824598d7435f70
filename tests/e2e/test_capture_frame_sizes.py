"""Frames of one pixel, and of fifty megabytes, before real models: refused, and the session goes on."""

from __future__ import annotations

from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest

from fakes.capture_models import capture_with_models
from fakes.runtime import error_info, status_of
from vidence.capture.v1 import session_pb2

ONE_PIXEL = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
NINE_MIB = b"\xff\xd8\xff" + bytes(9 * 2**20)


@pytest.mark.requirement("R-CA1", "R-EX7")
async def test_tiny_and_huge_frames_are_refused_and_the_session_goes_on(tmp_path: Path) -> None:
    async with capture_with_models(tmp_path) as server:
        camera = await server.create("FACE")
        for content, reason in ((ONE_PIXEL, "IMAGE_TOO_SMALL"), (NINE_MIB, "IMAGE_TOO_LARGE")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await camera.push(content)
            assert error_info(status_of(caught.value)).reason == reason
        # Beyond the size of a message it is gRPC that refuses, before a byte is kept.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await camera.push(bytes(50 * 2**20))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await camera.get()).state == session_pb2.SESSION_STATE_SEARCHING
