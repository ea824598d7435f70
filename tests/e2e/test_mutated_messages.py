"""Changed messages and pictures on every RPC: no crash, no leak, and only statuses that tell the truth."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import PATIENCE_S
from fakes.mutated_messages import mutated, seeds
from vidence_cli.smoke.contract import Rpc

ROUNDS, SOAK_ROUNDS = 8, 1000
DISHONEST = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}
"""Would say that the server is to blame, or that nobody knows."""
AT_ONCE = 8
DEADLINE_S = 10.0
"""Of a call; a stream that is watched has no end of its own."""
ENOUGH_MESSAGES, ENOUGH_S = 3, 0.3


@pytest.fixture
def target() -> Iterator[LiveSuite]:
    """Of its own: what changed messages ask for may be granted."""
    live = start_suite()
    yield live
    stop_suite(live)


async def each(messages: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The messages of a client stream."""
    for message in messages:
        yield message


async def status_of(channel: Any, rpc: Rpc, messages: Sequence[bytes]) -> grpc.StatusCode:
    """How a call with these bytes ends; OK for a stream that says something and does not end."""
    path = f"/{rpc.name}"
    try:
        if not rpc.server_streaming:
            if rpc.client_streaming:
                await channel.stream_unary(path)(each(messages), timeout=DEADLINE_S)
            else:
                await channel.unary_unary(path)(messages[0], timeout=DEADLINE_S)
            return grpc.StatusCode.OK
        if rpc.client_streaming:
            call = channel.stream_stream(path)(each(messages), timeout=DEADLINE_S)
        else:
            call = channel.unary_stream(path)(messages[0], timeout=DEADLINE_S)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(ENOUGH_S):
                    for _ in range(ENOUGH_MESSAGES):
                        if await call.read() is grpc.aio.EOF:
                            break
        finally:
            call.cancel()
    except grpc.aio.AioRpcError as error:
        # One that the client itself made up, such as for a write to a call that is over, has no trailers.
        return error.code() if error.trailing_metadata() else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.OK


async def statuses(address: str, rounds: int, seed: int) -> dict[str, set[grpc.StatusCode]]:
    """Statuses by RPC, `rounds` changed requests each."""
    draw = random.Random(seed)
    todo = [(rpc, mutated(messages, draw)) for rpc, messages in seeds() for _ in range(rounds)]
    draw.shuffle(todo)
    found: dict[str, set[grpc.StatusCode]] = {rpc.name: set() for rpc, _ in todo}
    turns = asyncio.Semaphore(AT_ONCE)
    async with grpc.aio.insecure_channel(address) as channel:

        async def ask(rpc: Rpc, messages: Sequence[bytes]) -> None:
            async with turns:
                found[rpc.name].add(await status_of(channel, rpc, messages))

        async with asyncio.TaskGroup() as group:
            for rpc, messages in todo:
                group.create_task(ask(rpc, messages))
    return found


async def check(target: LiveSuite, rounds: int, seed: int) -> None:
    found = await statuses(target.address, rounds, seed)
    dishonest = {name: codes & DISHONEST for name, codes in found.items() if codes & DISHONEST}
    assert dishonest == {}, f"seed {seed}"
    await nothing_is_left(target, seed)


async def nothing_is_left(target: LiveSuite, seed: int) -> None:
    """The suite had no defect, runs, and has nothing open."""
    defects = [entry for entry in target.logs if entry.get("event") == "defect"]
    assert defects == [], f"seed {seed}"
    names = tuple(code.name for code in DISHONEST)
    counted = await asyncio.to_thread(target.metrics)
    ended = {key[1] for key in counted if key[0] == "vidence_rpcs_total" and key[1].endswith(names)}
    assert ended == set(), f"seed {seed}"
    assert target.process.poll() is None
    # What was opened is closed again.
    async with asyncio.timeout(2 * PATIENCE_S):
        while left := await asyncio.to_thread(_still_open, target):
            await asyncio.sleep(0.1)
            assert target.process.poll() is None, left


def _still_open(target: LiveSuite) -> dict[tuple[str, str], float]:
    watched = {"vidence_rpcs_in_flight", "vidence_streams_open", "vidence_result_streams_buffered"}
    return {key: value for key, value in target.metrics().items() if key[0] in watched and value}


@pytest.mark.requirement("R-EX7", "R-OP5")
async def test_changed_messages_are_answered_honestly_on_every_rpc(target: LiveSuite) -> None:
    await check(target, ROUNDS, seed=20261121)


@pytest.mark.soak
@pytest.mark.requirement("R-EX7", "R-OP5")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(3))
async def test_changed_messages_for_long(target: LiveSuite, seed: int) -> None:
    await check(target, SOAK_ROUNDS, seed)
