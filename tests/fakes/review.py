"""A review service on a free port."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from fakes.storage import FakeBus
from vidence.review.v1 import review_service_pb2 as pb
from vidence.review.v1 import review_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.review.app import OpenReview, open_service, register
from vidence_server.review.settings import ReviewSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.storage.location import StateLocation


@dataclass
class ReviewServer:
    """A running service and a connection to it."""

    opened: OpenReview
    rpc: RpcServer
    channel: grpc.aio.Channel
    bus: FakeBus

    @property
    def reviews(self) -> pb_grpc.ReviewServiceAsyncStub:
        return pb_grpc.ReviewServiceStub(self.channel)

    async def get(self, subject: str) -> pb.GetReviewResponse:
        return await self.reviews.GetReview(pb.GetReviewRequest(subject=subject))


@asynccontextmanager
async def review_server(
    where: Path | StateLocation, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[ReviewServer]:
    """A real server; in SQLite where only a folder is given."""
    clock = clock or SystemClock()
    bus = FakeBus()
    rpc = RpcServer(
        ServerSettings(port=0, validate_responses=True, drain_accept_s=0),
        metrics=Metrics(version="0"),
        clock=clock,
        ids=IdFactory(clock),
    )
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_service(
                ReviewSettings(**settings),
                StateLocation(where) if isinstance(where, Path) else where,
                bus,
                clock=clock,
                random=random.Random(7).random,
            )
        )
        name = register(rpc, opened.service)
        await stack.enter_async_context(rpc)
        await rpc.mark_ready(name)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(rpc.address))
        yield ReviewServer(opened, rpc, channel, bus)
