"""Connections by way of another process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from fakes.event_servicer import Bus, serving
from fakes.extraction_servicer import status
from vidence.event.v1 import event_service_pb2 as pb
from vidence_client import ServerUnreachable, VidenceError, make_event
from vidence_client.publishing.connection import Connection
from vidence_client.publishing.relay import Kind, Pipe, RelayConnection, RelayLine
from vidence_client.publishing.relay_process import Relay

pytestmark = pytest.mark.requirement("R-ST9")

PATIENCE_S = 60.0
BUSY = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "STREAM_LIMIT", "enough", retry_after_s=1.5)


def request(*subjects: str) -> bytes:
    events = [make_event("till.sold", source="till/7", id=subject, subject=subject) for subject in subjects]
    return pb.PublishStreamRequest(events=events).SerializeToString()


async def answer(connection: Connection) -> pb.PublishStreamResponse:
    async with asyncio.timeout(PATIENCE_S):
        received = await connection.receive()
    assert received is not None
    return pb.PublishStreamResponse.FromString(received)


@asynccontextmanager
async def relayed(address: str) -> AsyncIterator[tuple[Pipe, RelayConnection]]:
    """A relay of this process, and a connection through it."""
    mine, other = socket.socketpair()
    pipe, far = await Pipe.over(mine), await Pipe.over(other)
    relay = asyncio.create_task(Relay(far).run())
    await pipe.write(Kind.OPEN, 1, address.encode())
    yield pipe, RelayConnection(pipe, 1)
    await pipe.close()
    async with asyncio.timeout(PATIENCE_S):
        await relay
    await far.close()


async def test_requests_and_answers_pass() -> None:
    bus = Bus()
    async with serving(bus) as address, relayed(address) as (_, connection):
        assert (await answer(connection)).HasField("connected")
        await connection.send(request("a", "b"))
        assert len((await answer(connection)).publish_results.results) == 2
        await connection.finish()
        assert (await answer(connection)).HasField("publish_complete")
        assert await connection.receive() is None
    assert [event.subject for event in bus.log] == ["a", "b"]


async def test_an_error_comes_through_whole() -> None:
    bus = Bus()
    bus.faults.openings.append(BUSY)
    async with serving(bus) as address, relayed(address) as (_, connection):
        with pytest.raises(VidenceError) as raised:
            await connection.receive()
    error = raised.value
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STREAM_LIMIT")
    assert error.retry_after_s == 1.5


async def test_a_new_connection_replaces_the_one_before() -> None:
    bus = Bus()
    async with serving(bus) as address, relayed(address) as (pipe, first):
        assert (await answer(first)).HasField("connected")
        await first.send(request("a"))
        await pipe.write(Kind.OPEN, 2, address.encode())
        second = RelayConnection(pipe, 2)
        assert (await answer(second)).HasField("connected"), "what the first left unread is passed over"
        await first.send(request("late"))
        await second.send(request("b"))
        assert len((await answer(second)).publish_results.results) == 1
        await second.close()
    assert "late" not in [event.subject for event in bus.log]


async def test_what_was_sent_arrives_although_the_sender_is_gone() -> None:
    bus = Bus()
    bus.faults.acks.clear()
    async with serving(bus) as address:
        async with relayed(address) as (_, connection):
            assert (await answer(connection)).HasField("connected")
            for number in range(20):
                await connection.send(request(str(number)))
            bus.faults.acks.set()
        assert [event.subject for event in bus.log] == [str(number) for number in range(20)]


async def test_a_relay_process_is_started_and_ended() -> None:
    bus = Bus()
    async with serving(bus) as address:
        line = RelayLine(address)
        for subject in ("a", "b"):
            connection = await line.connect()
            assert (await answer(connection)).HasField("connected")
            await connection.send(request(subject))
            assert len((await answer(connection)).publish_results.results) == 1
            await connection.close()
        process = line._process
        await line.close()
        assert process is not None
        assert process.returncode == 0
    assert [event.subject for event in bus.log] == ["a", "b"]


async def test_a_relay_process_that_died_is_replaced() -> None:
    bus = Bus()
    async with serving(bus) as address:
        line = RelayLine(address)
        connection = await line.connect()
        assert (await answer(connection)).HasField("connected")
        assert line._process is not None
        line._process.kill()
        with pytest.raises(ServerUnreachable, match="relay"):
            async with asyncio.timeout(PATIENCE_S):
                await connection.receive()
        await connection.send(request("swallowed"))
        line._process.wait()
        connection = await line.connect()
        assert (await answer(connection)).HasField("connected")
        await connection.close()
        await line.close()


async def test_without_an_interpreter_there_is_no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "")
    with pytest.raises(ServerUnreachable, match="interpreter"):
        await RelayLine("127.0.0.1:1").connect()
