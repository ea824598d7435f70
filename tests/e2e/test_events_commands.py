"""The commands about streams against a real suite."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite
from fakes import commands
from vidence.event.v1 import event_service_pb2
from vidence_cli.conformance.run import ConformanceRun
from vidence_cli.conformance.verdicts import Verdicts
from vidence_cli.exit_codes import ExitCode
from vidence_cli.wire import SUBSCRIBE


def run(suite: LiveSuite, *arguments: object, stdin: str | None = None) -> Any:
    return commands.invoke(*arguments, "--server", suite.address, stdin=stdin)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.requirement("R-EV1")
def test_what_is_published_is_found_by_every_command(suite: LiveSuite, tmp_path: Path) -> None:
    source = f"vidence/test/{tmp_path.name}"
    lines = "".join(f'{{"type": "sale.completed", "id": "{number}"}}\n' for number in range(3))
    published = run(suite, "events", "publish", "--file", "-", "--source", source, stdin=lines)
    assert published.exit_code == ExitCode.FINE, published.output
    cursors = [line["cursor"] for line in lines_of(published.stdout)]
    again = run(suite, "events", "publish", "sale.completed", "--id", "0", "--source", source)
    assert [line["repeated"] for line in lines_of(again.stdout)] == [True]

    tailed = run(suite, "events", "tail", "--source", source, "--from-start", "-n", 3, "--timeout", 30)
    assert tailed.exit_code == ExitCode.FINE
    told = [event["cursor"] for line in lines_of(tailed.stdout) for event in line.get("events", [])]
    assert told == cursors
    listed = run(suite, "events", "list", "--source", source, "--since", "1h")
    (page,) = lines_of(listed.stdout)
    assert [event["cursor"] for event in page["events"]] == cursors[::-1]
    got = run(suite, "events", "get", cursors[1])
    assert lines_of(got.stdout)[0]["event"]["id"] == "1"
    absent = run(suite, "events", "get", "--source", source, "--id", "absent")
    assert absent.exit_code == ExitCode.FAILED
    assert "EVENT_NOT_FOUND" in absent.stderr


@pytest.mark.requirement("R-ST1")
def test_a_recorded_stream_is_sound_and_can_be_published_again(suite: LiveSuite, tmp_path: Path) -> None:
    source = f"vidence/test/{tmp_path.name}"
    for kind in ("a.first", "a.second"):
        assert run(suite, "events", "publish", kind, "--source", source).exit_code == ExitCode.FINE
    file = tmp_path / "stream.jsonl"
    recorded = run(suite, "record", file, "--source", source, "--from-start", "-n", 2, "--timeout", 30)
    assert recorded.exit_code == ExitCode.FINE, recorded.output
    assert commands.invoke("check", file).exit_code == ExitCode.FINE
    again = run(suite, "replay", file, "--publish", "--speed", "max")
    assert again.exit_code == ExitCode.FINE
    assert [line["repeated"] for line in lines_of(again.stdout)] == [True, True]


@pytest.mark.requirement("R-ST7", "R-ST11", "R-EV2")
def test_a_load_misses_nothing(suite: LiveSuite) -> None:
    result = commands.invoke(
        *("load", suite.address, "--subscribers", 40, "--duration", 2.5, "--publish-rate", 20),
        *("--pid", suite.process.pid),
    )
    told = json.loads(result.stdout)
    assert result.exit_code == ExitCode.FINE, told["missing"]
    assert told["connected"] == 40
    assert told["delivered"] == 40 * told["published"]
    assert told["server_rss_peak_mib"] > 1


@pytest.mark.requirement("R-ST1", "R-ST4")
def test_the_suite_conforms(suite: LiveSuite) -> None:
    result = commands.invoke("conformance", suite.address)
    told = json.loads(result.stdout)
    broken = [found for found in told["guarantees"] if found["violations"]]
    assert (result.exit_code, broken) == (ExitCode.FINE, [])
    assert told["services"] == ["event", "extraction"]
    judged = {found["guarantee"]: found["checks"] for found in told["guarantees"]}
    for guarantee in ("Ordered", "Unique", "Reliable", "Resumable", "Bookmarkable", "Filtered", "Chained"):
        assert judged[guarantee] > 20


class LyingDoor(grpc.GenericRpcHandler):
    """Hands calls of the bus on to a server, and changes what its subscriptions say."""

    def __init__(self, channel: Any, lie: Callable[[Any], None]) -> None:
        self._channel = channel
        self._lie = lie

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if "EventService" not in details.method:
            return None
        if details.method == f"/{SUBSCRIBE}":
            return grpc.unary_stream_rpc_method_handler(self.subscribe)
        if details.method.endswith("WatchStatistics"):
            return grpc.unary_stream_rpc_method_handler(self.hand_on_stream(details.method))
        if details.method.endswith("PublishStream"):
            return grpc.stream_stream_rpc_method_handler(self.hand_on_both(details.method))
        return grpc.unary_unary_rpc_method_handler(self.hand_on(details.method))

    async def subscribe(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        async for encoded in self.hand_on_stream(f"/{SUBSCRIBE}")(request, context):
            response = event_service_pb2.SubscribeResponse.FromString(encoded)
            self._lie(response)
            yield response.SerializeToString()

    def hand_on(self, method: str) -> Callable[[bytes, Any], Any]:
        async def call(request: bytes, context: Any) -> Any:
            try:
                return await self._channel.unary_unary(method)(request)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), error.trailing_metadata())

        return call

    def hand_on_stream(self, method: str) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def call(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                async for encoded in self._channel.unary_stream(method)(request):
                    yield encoded
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), error.trailing_metadata())

        return call

    def hand_on_both(self, method: str) -> Callable[[Any, Any], AsyncIterator[bytes]]:
        async def call(requests: Any, context: Any) -> AsyncIterator[bytes]:
            async for encoded in self._channel.stream_stream(method)(requests):
                yield encoded

        return call


@asynccontextmanager
async def lying_door(address: str, lie: Callable[[Any], None]) -> AsyncIterator[str]:
    async with grpc.aio.insecure_channel(address) as channel:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((LyingDoor(channel, lie),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


def lose_an_event(response: event_service_pb2.SubscribeResponse) -> None:
    """Leaves one of ten events out, without a word."""
    kept = [event for event in response.events if event.sequence % 10]
    if len(kept) < len(response.events):
        del response.events[:]
        response.events.extend(kept)


@pytest.mark.requirement("R-ST1")
async def test_a_server_that_loses_events_does_not_conform(suite: LiveSuite) -> None:
    verdicts = Verdicts()
    async with lying_door(suite.address, lose_an_event) as address:
        run = ConformanceRun(address, verdicts, monotonic=asyncio.get_running_loop().time)
        await run.run()
    broken = {verdict.guarantee for verdict in verdicts.all if verdict.violations}
    assert {"Reliable", "Resumable", "Filtered"} <= broken
    assert not broken & {"Durable", "Idempotent", "Chained", "Listed"}


@pytest.mark.requirement("R-EV1")
def test_the_command_publishes_into_a_pipe(suite: LiveSuite) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    ended = subprocess.run(
        [*commands.PROGRAM, "events", "publish", "a.b", "--server", suite.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ended.stderr == ""
    assert lines_of(ended.stdout)[0]["durability"] == "DURABILITY_WRITTEN"


@pytest.mark.requirement("R-EV3")
def test_a_damaged_database_is_found_repaired_and_used_again(tmp_path: Path) -> None:
    data = {"VIDENCE_DATA_DIR": str(tmp_path)}
    suite = start_suite("event", environ=data)
    try:
        lines = "".join(f'{{"type": "sale.completed", "id": "{number}"}}\n' for number in range(20))
        assert run(suite, "events", "publish", "--file", "-", stdin=lines).exit_code == ExitCode.FINE
        (file,) = tmp_path.glob("**/event.db")
        in_use = commands.invoke("events", "verify", file)
        assert in_use.exit_code == ExitCode.FAILED
        assert "DATABASE_IN_USE" in in_use.stderr
    finally:
        assert stop_suite(suite) == 0
    assert commands.invoke("events", "verify", file).exit_code == ExitCode.FINE
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE records SET body = body || x'00' WHERE identity LIKE '%\n7'")
    damaged = commands.invoke("events", "verify", file)
    assert damaged.exit_code == ExitCode.FAILED
    assert [log["corrupt_count"] for log in json.loads(damaged.stdout)["logs"]] == [1]
    repaired = commands.invoke("events", "repair", file)
    assert (repaired.exit_code, json.loads(repaired.stdout)["saved_count"]) == (ExitCode.FINE, 19)
    assert commands.invoke("events", "verify", file).exit_code == ExitCode.FINE

    suite = start_suite("event", environ=data)
    try:
        (page,) = lines_of(run(suite, "events", "list").stdout)
        assert [event["id"] for event in page["events"]] == [str(n) for n in range(19, -1, -1) if n != 7]
        tailed = run(suite, "events", "tail", "--from-start", "-n", 19, "--timeout", 30)
        gaps = [
            line["control"]["gap"] for line in lines_of(tailed.stdout) if "gap" in line.get("control", {})
        ]
        assert [gap["reason"] for gap in gaps] == ["GAP_REASON_CORRUPT"]
    finally:
        stop_suite(suite)
