"""A library service on a file, alone or behind a real server, and an embedder without a model."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from fakes.storage import FakeBus
from vidence.library.v1 import library_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.inference.engine import Priority
from vidence_server.library import app
from vidence_server.library.ports import FaceEmbedder, TextEmbedder
from vidence_server.library.records import WantedLibrary
from vidence_server.library.service import LibraryService
from vidence_server.library.settings import LibrarySettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.storage.location import StateLocation
from vidence_server.storage.outbox import OutboxEvent
from vidence_server.storage.relay import Relay

TENANT = "default"


@dataclass
class FakeEmbedder:
    """Counts words into buckets: texts that share words are close. Refuses texts without words."""

    model_id: str = "words@1"
    dimensions: int = 32
    texts: int = 0
    """How many were embedded."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: embedding waits."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def embed(
        self, texts: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> npt.NDArray[np.float32]:
        await self.gate.wait()
        self.texts += len(texts)
        return (
            np.stack([self.vector(text) for text in texts]) if texts else np.zeros((0, self.dimensions), "f4")
        )

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        counts = np.zeros(self.dimensions, np.float32)
        for word in text.lower().split():
            if any(letter.isalnum() for letter in word):
                digest = hashlib.sha256(f"{self.model_id}/{word}".encode()).digest()
                counts[int.from_bytes(digest[:4], "big") % self.dimensions] += 1
        if not counts.any():
            raise DomainError(Reason.REQUEST_INVALID, "The text has no word.")
        scaled: npt.NDArray[np.float32] = counts / np.linalg.norm(counts)
        return scaled


@dataclass
class ForgetfulBus(FakeBus):
    """Takes every event and keeps its count only: for runs whose memory is measured."""

    count: int = 0

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        self.count += len(events)


@dataclass(frozen=True)
class OpenLibrary:
    """A service that works, and what it works on."""

    service: LibraryService
    relay: Relay
    bus: FakeBus
    embedder: FakeEmbedder
    path: Path
    """Its database."""

    @property
    def told(self) -> list[str]:
        """Types of the events that the bus has, in order."""
        return [event.type for event in self.bus.log]


@asynccontextmanager
async def open_library(
    folder: Path,
    *,
    embedder: FakeEmbedder | None = None,
    others: Mapping[str, TextEmbedder] | None = None,
    face_embedder: FaceEmbedder | None = None,
    bus: FakeBus | None = None,
    clock: Clock | None = None,
    location: StateLocation | None = None,
    sealing: Sealing | None = None,
    **settings: Any,
) -> AsyncIterator[OpenLibrary]:
    embedder, bus, clock = embedder or FakeEmbedder(), bus or FakeBus(), clock or SystemClock()
    async with app.open_service(
        LibrarySettings(**settings),
        location or StateLocation(folder),
        bus,
        embedders={embedder.model_id: embedder, **(others or {})},
        face_embedder=face_embedder,
        clock=clock,
        ids=IdFactory(clock),
        random=lambda: 0.5,
        sealing=sealing,
    ) as opened:
        yield OpenLibrary(opened.service, opened.relay, bus, embedder, folder / "library.db")


@dataclass(frozen=True)
class LibraryServer:
    """The same behind a server that listens."""

    server: RpcServer
    opened: OpenLibrary
    channel: grpc.aio.Channel

    @property
    def stub(self) -> pb_grpc.LibraryServiceAsyncStub:
        return pb_grpc.LibraryServiceStub(self.channel)


@asynccontextmanager
async def library_server(
    folder: Path, *, server_settings: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[LibraryServer]:
    clock = SystemClock()
    metrics = Metrics(version="0.0.0")
    defaults = {"port": 0, "validate_responses": True, "drain_accept_s": 0}
    server = RpcServer(
        ServerSettings(**(defaults | dict(server_settings or {}))),
        metrics=metrics,
        clock=clock,
        ids=IdFactory(clock),
    )
    async with open_library(folder, **options) as opened:
        name = app.register(server, opened.service, clock)
        async with server:
            await server.mark_ready(name)
            async with grpc.aio.insecure_channel(server.address) as channel:
                yield LibraryServer(server, opened, channel)


async def made(opened: OpenLibrary, library_id: str = "books", **wanted: Any) -> None:
    """Creates a library."""
    await opened.service.libraries.create(TENANT, WantedLibrary(library_id, **wanted))
