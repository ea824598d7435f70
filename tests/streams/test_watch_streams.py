"""Watch streams over a real server: opening, chain, heartbeat, slow and lost readers, drain, limits."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.runtime import RunningServer, captured_logs, error_info, running_server, status_of
from fakes.streams import FakeLog, Parity, broadcast_of, cursor_at
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.watch_streams import WatchRequest, WatchStreams
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.requests import AfterCursor, Latest, OnExpired, OnOverflow, Start

SERVICE = "vidence.event.v1.EventService"
Context = grpc.aio.ServicerContext[Any, Any]
Call = grpc.aio.UnaryStreamCall[pb.SubscribeRequest, pb.SubscribeResponse]


class WatchServicer(pb_grpc.EventServiceServicer):
    """`Subscribe` over a broadcast; the subject pattern `odd` asks for odd keys."""

    def __init__(self, streams: WatchStreams, broadcast: Broadcast, period_s: float | None) -> None:
        self._streams = streams
        self._broadcast = broadcast
        self._period_s = period_s

    async def Subscribe(  # type: ignore[override]  # noqa: N802  # it writes through the context itself
        self, request: pb.SubscribeRequest, context: Context
    ) -> None:
        start: Start = Latest()
        if request.after_cursor:
            start = AfterCursor(Cursor.parse(request.after_cursor))
        asked = WatchRequest(
            start,
            on_expired=OnExpired(request.on_expired or 1),
            on_overflow=OnOverflow(request.on_overflow or 1),
            heartbeat_period_s=self._period_s,
            filter=Parity(1) if request.filter.subject_pattern == "odd" else None,
        )
        await self._streams.serve(context, self._broadcast, asked)


@dataclass
class Watched:
    """A server whose log a test writes."""

    running: RunningServer
    log: FakeLog
    broadcast: Broadcast

    def publish(self, count: int = 1) -> None:
        self.broadcast.extend(self.log.append(count))

    def subscribe(self, **fields: Any) -> Call:
        call: Call = pb_grpc.EventServiceStub(self.running.channel).Subscribe(pb.SubscribeRequest(**fields))
        return call


@asynccontextmanager
async def watched(
    *, ring: int = 1000, period_s: float | None = None, **settings: Any
) -> AsyncIterator[Watched]:
    log = FakeLog()
    async with broadcast_of(log, ring=ring, stale_after_s=0.1) as broadcast:

        def services(server: RpcServer) -> dict[str, Any]:
            servicer = WatchServicer(server.watch_streams, broadcast, period_s)  # type: ignore[abstract]  # others: UNIMPLEMENTED
            return {SERVICE: lambda target: pb_grpc.add_EventServiceServicer_to_server(servicer, target)}

        async with running_server(services, **settings) as running:
            yield Watched(running, log, broadcast)


async def read(call: Call, count: int) -> list[pb.SubscribeResponse]:
    """Messages until so many events came; their chain is checked."""
    messages: list[pb.SubscribeResponse] = []
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(message.events) for message in messages) < count:
            message = await call.read()
            assert isinstance(message, pb.SubscribeResponse)
            messages.append(message)
    for before, after in pairwise(messages):
        assert after.previous_cursor == before.cursor
    return messages


def ids(messages: list[pb.SubscribeResponse]) -> list[int]:
    return [int(event.id) for message in messages for event in message.events]


@pytest.mark.requirement("R-ST3", "R-ST2")
async def test_connected_comes_first_and_everything_after_it_is_delivered_in_a_chain() -> None:
    async with watched() as server:
        server.publish(3)
        call = server.subscribe()
        first = await call.read()
        assert isinstance(first, pb.SubscribeResponse)
        connected = first.control.connected
        assert connected.connection_id.startswith("con_")
        assert (connected.cursor, first.cursor, first.previous_cursor) == (*[str(cursor_at(3))] * 2, "")
        assert connected.heartbeat_period.seconds == 30
        server.publish(2)
        server.publish(1)
        messages = await read(call, 3)
        assert ids(messages) == [4, 5, 6]
        assert messages[0].previous_cursor == first.cursor
        assert messages[-1].cursor == messages[-1].events[-1].cursor == str(cursor_at(6))
        metadata = dict(await call.initial_metadata())
        assert metadata["x-request-id"]


@pytest.mark.requirement("R-ST4")
async def test_a_watcher_resumes_after_its_last_cursor() -> None:
    async with watched(ring=10) as server:
        server.publish(500)
        call = server.subscribe(after_cursor=str(cursor_at(123)))
        assert ids(await read(call, 377)) == list(range(124, 501))


@pytest.mark.requirement("R-ST5")
async def test_heartbeats_carry_the_cursor_though_the_filter_hides_everything() -> None:
    async with watched(period_s=0.05) as server:
        call = server.subscribe(filter={"subject_pattern": "odd"})
        await call.read()
        server.publish(1)
        await read(call, 1)
        server.publish(1)
        beat = await call.read()
        assert isinstance(beat, pb.SubscribeResponse)
        assert beat.control.heartbeat.cursor == beat.cursor == str(cursor_at(2))
        assert beat.previous_cursor == str(cursor_at(1))


@pytest.mark.requirement("R-ST4")
@pytest.mark.parametrize("fails", [True, False])
async def test_an_expired_cursor_is_an_error_or_a_gap(fails: bool) -> None:
    on_expired = stream.ON_EXPIRED_FAIL if fails else stream.ON_EXPIRED_GAP
    async with watched(ring=10) as server:
        server.publish(100)
        server.log.forget(40)
        call = server.subscribe(after_cursor=str(cursor_at(5)), on_expired=on_expired)
        if fails:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
            assert error_info(status_of(caught.value)).metadata["oldest_cursor"] == str(cursor_at(40))
        else:
            messages = await read(call, 60)
            gap = messages[1].control.gap
            assert (gap.from_cursor, gap.to_cursor) == (str(cursor_at(5)), str(cursor_at(40)))
            assert (gap.missed_count, gap.reason) == (35, stream.GAP_REASON_EXPIRED)
            assert ids(messages) == list(range(41, 101))


@pytest.mark.requirement("R-ST6")
async def test_one_watcher_that_does_not_read_slows_nobody_and_misses_nothing() -> None:
    async with watched(ring=64) as server:
        server.log.subject_length = 500  # more than the windows of a connection take
        slow = server.subscribe()
        await slow.read()
        others = [server.subscribe() for _ in range(5)]
        for call in others:
            await call.read()
        pending = [asyncio.create_task(read(call, 20_000)) for call in others]
        for _ in range(400):
            server.publish(50)
            await asyncio.sleep(0)
        for task in pending:
            assert ids(await task) == list(range(1, 20_001))
        assert server.broadcast.subscribers()[0].lag > 0
        assert ids(await read(slow, 20_000)) == list(range(1, 20_001))


@pytest.mark.requirement("R-ST6")
async def test_an_impatient_watcher_is_told_that_it_was_too_slow_and_where_to_resume() -> None:
    async with watched(ring=64) as server:
        server.log.subject_length = 500  # the buffers of the transport fill up in fewer rounds
        call = server.subscribe(on_overflow=stream.ON_OVERFLOW_DISCONNECT)
        await call.read()
        async with asyncio.timeout(PATIENCE_S):
            while not server.broadcast.statistics().too_slow:
                server.publish(60)
                await asyncio.sleep(0)
        messages: list[pb.SubscribeResponse] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while True:
                message = await call.read()
                assert isinstance(message, pb.SubscribeResponse)
                messages.append(message)
        assert caught.value.code() is grpc.StatusCode.ABORTED
        info = error_info(status_of(caught.value))
        end = messages[-1].control.disconnected
        assert (info.reason, info.metadata["cursor"]) == ("SUBSCRIBER_TOO_SLOW", end.cursor)
        assert end.reason == stream.DISCONNECT_REASON_TOO_SLOW
        seen = ids(messages)
        assert seen == list(range(1, len(seen) + 1))
        assert end.cursor == str(cursor_at(len(seen)))


@pytest.mark.requirement("R-ST3")
async def test_a_draining_server_disconnects_its_watchers_with_a_cursor() -> None:
    async with watched() as server:
        call = server.subscribe()
        await call.read()
        server.publish(2)
        await read(call, 2)
        draining = asyncio.create_task(server.running.server.drain(5))
        last = await call.read()
        assert isinstance(last, pb.SubscribeResponse)
        assert last.control.disconnected.reason == stream.DISCONNECT_REASON_DRAINING
        assert last.control.disconnected.cursor == last.cursor == str(cursor_at(2))
        assert last.control.disconnected.retry_delay.seconds == 3
        assert await call.read() is grpc.aio.EOF
        await draining


@pytest.mark.requirement("R-ST7", "R-ST11")
async def test_a_stream_over_the_limit_is_refused_with_a_delay_and_counted() -> None:
    async with watched(max_streams=2) as server:
        calls = [server.subscribe() for _ in range(2)]
        for call in calls:
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.subscribe().read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_info(status_of(caught.value)).reason == "STREAM_LIMIT"
        labels = {"service": SERVICE, "method": "Subscribe"}
        metric = server.running.metric
        assert metric("vidence_streams_refused_total", reason="STREAM_LIMIT", **labels) == 1
        assert metric("vidence_streams_open", **labels) == 2
        assert metric("vidence_streams_opened_total", **labels) == 2


@pytest.mark.requirement("R-ST7", "R-ST11")
async def test_a_watcher_that_leaves_is_forgotten_at_once() -> None:
    with captured_logs() as logs:
        async with watched() as server:
            call = server.subscribe()
            await call.read()
            call.cancel()
            await eventually(lambda: server.broadcast.statistics().subscribers == 0)
            await eventually(lambda: server.running.server.watch_streams.statistics().open == 0)
    closed = logs.of("stream closed")[0]
    assert (closed["reason"], closed["sent"]) == ("CANCELLED", 1)


@pytest.mark.requirement("R-ST7")
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_frozen_or_dead_peer_is_freed_and_the_others_get_everything(how: signal.Signals) -> None:
    settings = {"keepalive_time_s": 0.2, "keepalive_timeout_s": 0.2, "min_ping_interval_s": 0.05}
    async with watched(ring=64, **settings) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", READER, server.running.server.address, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert child.stdout is not None
            await child.stdout.readline()
            other = server.subscribe()
            await other.read()
            child.send_signal(how)
            reading = asyncio.create_task(read(other, 5000))
            for _ in range(100):
                server.publish(50)
                await asyncio.sleep(0)
            assert ids(await reading) == list(range(1, 5001))
            await eventually(lambda: server.broadcast.statistics().subscribers == 1)
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


READER = """
import sys, grpc
from vidence.event.v1 import event_service_pb2 as pb, event_service_pb2_grpc as pb_grpc
channel = grpc.insecure_channel(sys.argv[1], options=[("grpc.enable_http_proxy", 0)])
call = pb_grpc.EventServiceStub(channel).Subscribe(pb.SubscribeRequest())
next(call)
print("connected", flush=True)
for message in call:
    pass
"""
