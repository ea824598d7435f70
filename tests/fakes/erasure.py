"""A review and erasure service on a free port, and what is left of somebody on disk."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from fakes.storage import FakeBus
from vidence.erasure.v1 import erasure_pb2
from vidence.erasure.v1 import erasure_service_pb2 as pb
from vidence.erasure.v1 import erasure_service_pb2_grpc as pb_grpc
from vidence.review.v1 import review_service_pb2_grpc as review_grpc
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.erasure import app
from vidence_server.erasure.app import OpenErasure
from vidence_server.erasure.ports import Holder
from vidence_server.erasure.settings import ErasureSettings
from vidence_server.review import app as review
from vidence_server.review.settings import ReviewSettings
from vidence_server.runtime.erasure_client import ErasureClient
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.storage.location import StateLocation


@dataclass
class ErasureServer:
    """A running service and a connection to it."""

    opened: OpenErasure
    rpc: RpcServer
    channel: grpc.aio.Channel
    bus: FakeBus
    holders: dict[str, Holder]
    """The services that it asks; a test may put another in the place of one."""

    @property
    def reviews(self) -> review_grpc.ReviewServiceAsyncStub:
        return review_grpc.ReviewServiceStub(self.channel)

    async def purge(self, subject_id: str, **more: Any) -> erasure_pb2.Purge:
        request = pb.PurgeSubjectRequest(subject_id=subject_id, **more)
        return (await pb_grpc.ErasureServiceStub(self.channel).PurgeSubject(request)).purge

    async def get(self, **by: str) -> erasure_pb2.Purge:
        request = pb.GetPurgeRequest(**by)
        return (await pb_grpc.ErasureServiceStub(self.channel).GetPurge(request)).purge


@asynccontextmanager
async def erasure_server(
    place: Path | StateLocation, addresses: Mapping[str, str], **settings: Any
) -> AsyncIterator[ErasureServer]:
    """A real server that asks the services at these addresses over gRPC; on SQLite in a folder."""
    clock = SystemClock()
    ids = IdFactory(clock)
    bus = FakeBus()
    rpc = RpcServer(
        ServerSettings(port=0, validate_responses=True, drain_accept_s=0),
        metrics=Metrics(version="0"),
        clock=clock,
        ids=ids,
    )
    where = StateLocation(place) if isinstance(place, Path) else place
    async with AsyncExitStack() as stack:
        luck = random.Random(7).random
        reviews = await stack.enter_async_context(
            review.open_service(ReviewSettings(), where, bus, clock=clock, random=luck)
        )
        holders: dict[str, Holder] = {
            name: await stack.enter_async_context(ErasureClient(name, address))
            for name, address in addresses.items()
        }
        opened = await stack.enter_async_context(
            app.open_service(
                ErasureSettings(**settings),
                where,
                bus,
                holders,
                reviews.service,
                clock=clock,
                ids=ids,
                random=luck,
            )
        )
        names = [review.register(rpc, reviews.service), app.register(rpc, opened.service)]
        await stack.enter_async_context(rpc)
        for name in names:
            await rpc.mark_ready(name)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(rpc.address))
        yield ErasureServer(opened, rpc, channel, bus, holders)


def files_with(folder: Path, *marks: bytes) -> list[str]:
    """Files under a folder that have one of these bytes: database pages and write-ahead logs included."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(mark in path.read_bytes() for mark in marks)
    )


def counts(purge: erasure_pb2.Purge) -> dict[str, tuple[int, int, int]]:
    """Found, erased, failed by kind."""
    return {
        kind.kind: (kind.found_count, kind.erased_count, kind.failed_count)
        for part in purge.services
        for kind in part.kinds
    }


def left(purge: erasure_pb2.Purge) -> dict[str, str]:
    """Services that are not done, and why."""
    return {part.service: part.reason for part in purge.services if not part.done}
