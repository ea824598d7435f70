"""Calls of the event service, read to an end."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S
from fakes.event_bus import RunningBus, event
from fakes.runtime import error_info, status_of
from vidence.event.v1 import event_service_pb2 as pb

FAILED = grpc.aio.AioRpcError


async def publish(bus: RunningBus, *names: str, **fields: Any) -> list[str]:
    response = await bus.stub.Publish(pb.PublishRequest(events=[event(name, **fields) for name in names]))
    return [result.cursor for result in response.results]


async def failure(call: Any) -> FAILED:
    with pytest.raises(FAILED) as caught:
        await call
    return caught.value


def reason(error: FAILED) -> str:
    return str(error_info(status_of(error)).reason)


async def collected(call: Any) -> list[Any]:
    """Everything that a stream says, to its end."""
    seen: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        while (message := await call.read()) is not grpc.aio.EOF:
            seen.append(message)
    return seen
