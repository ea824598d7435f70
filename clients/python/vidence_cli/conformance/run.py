"""One run of the stream contract: which services are there, and all scenarios of each."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

import grpc

from vidence.event.v1 import event_service_pb2, event_service_pb2_grpc
from vidence.extraction.v1 import extraction_service_pb2, extraction_service_pb2_grpc
from vidence_cli.conformance.bench import PATIENCE_S, Bench
from vidence_cli.conformance.cuts import cut_connections
from vidence_cli.conformance.extraction import extract_and_judge
from vidence_cli.conformance.lookups import judge_numbers, look_up, numbers
from vidence_cli.conformance.refusals import refuse_cursors
from vidence_cli.conformance.verdicts import Verdicts
from vidence_cli.conformance.watching import (
    cut_and_resume,
    publish_to_live_watchers,
    replay_from_start,
    resume_everywhere,
    stay_quiet,
    watch_numbers,
)
from vidence_cli.wire import open_connection
from vidence_client import VidenceError

_EVENTS = 60


class ConformanceRun:
    """Tries a server and collects verdicts.

    Args:
        address: The server.
        verdicts: Takes what is found.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(self, address: str, verdicts: Verdicts, *, monotonic: Callable[[], float]) -> None:
        self.verdicts = verdicts
        self.services: list[str] = []
        self.rounds = 0
        self._address = address
        self._monotonic = monotonic

    async def run(self, *, soak_s: float = 0.0) -> None:
        """Goes one round, and further ones until `soak_s` seconds have passed.

        Raises:
            VidenceError: A call failed that may not; `ServerUnreachable`: nothing answers.
        """
        until_s = self._monotonic() + soak_s
        self.services = await _services(self._address)
        try:
            while self.services:
                await self._round()
                self.rounds += 1
                if self._monotonic() >= until_s:
                    return
        except* grpc.aio.AioRpcError as group:
            raise VidenceError.from_rpc_error(_first(group)) from None

    async def _round(self) -> None:
        bench = Bench(self._address, f"vidence/conformance/{uuid.uuid4().hex}", self.verdicts)
        if "event" in self.services:
            await _try_bus(bench)
        if "extraction" in self.services:
            await extract_and_judge(bench)


async def _try_bus(bench: Bench) -> None:
    before = await numbers(bench)
    live = await publish_to_live_watchers(bench, _EVENTS)
    await resume_everywhere(bench, live.own)
    await replay_from_start(bench)
    await cut_and_resume(bench)
    await cut_connections(bench)
    await stay_quiet(bench)
    await refuse_cursors(bench)
    await look_up(bench)
    await watch_numbers(bench)
    judge_numbers(bench, before, await numbers(bench))


async def _services(address: str) -> list[str]:
    """Which services answer, by name.

    Raises:
        VidenceError: A call failed otherwise than by an absent service.
    """
    found = []
    async with open_connection(address) as channel:
        bus = event_service_pb2_grpc.EventServiceStub(channel)
        reading = extraction_service_pb2_grpc.ExtractionServiceStub(channel)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "event": lambda: bus.GetStatistics(event_service_pb2.GetStatisticsRequest(), timeout=PATIENCE_S),
            "extraction": lambda: reading.ListDocumentTypes(
                extraction_service_pb2.ListDocumentTypesRequest(), timeout=PATIENCE_S
            ),
        }
        for name, call in calls.items():
            try:
                await call()
                found.append(name)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise VidenceError.from_rpc_error(error) from None
    return found


def _first(group: BaseExceptionGroup[grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
