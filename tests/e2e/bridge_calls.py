"""How tests talk through the door: events published behind it, calls in front of it, and their answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping
from typing import Any

import grpc
import httpx
from google.protobuf.any_pb2 import Any as AnyMessage

from e2e.bridge_door import EventSource, Sse
from e2e_suite import LiveSuite
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc

NDJSON = "application/x-ndjson"


def publish(suite: LiveSuite, *types: str, data: AnyMessage | None = None, source: str = "till") -> list[str]:
    """Publishes in one call; the cursors."""
    events = [event_pb2.Event(source=source, type=kind, data=data) for kind in types]
    with grpc.insecure_channel(suite.address) as channel:
        answer = pb_grpc.EventServiceStub(channel).Publish(pb.PublishRequest(events=events))
    return [result.cursor for result in answer.results]


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])


class Curl:
    """`curl -N`, read line by line while it runs."""

    def __init__(self, *arguments: str) -> None:
        command = ["curl", "-sN", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the stream ended"
        return line.rstrip("\n")

    def until(self, prefix: str) -> str:
        while not (line := self.line()).startswith(prefix):
            pass
        return line

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate()


async def read(source: EventSource, client: httpx.AsyncClient, count: int) -> list[Sse]:
    """So many events that are not about the stream, over one connection; fewer where it ends."""
    found: list[Sse] = []
    async with source.connect(client) as events, asyncio.timeout(60):
        async for event in events:
            if event.is_told:
                found.append(event)
                if len(found) == count:
                    break
    return found


def ndjson(*lines: Mapping[str, Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


async def told_of(client: httpx.AsyncClient, verb: str, path: str, **options: Any) -> list[dict[str, Any]]:
    """The lines of a stream that ends by itself."""
    async with client.stream(verb, path, **options) as stream:
        assert stream.status_code == 200, await stream.aread()
        assert stream.headers["content-type"] == NDJSON
        return [json.loads(line) async for line in stream.aiter_lines() if line]


def payloads(messages: list[dict[str, Any]]) -> list[str]:
    """What each message of a result stream is."""
    return [next(iter(set(message) - {"sequence", "emit_time"})) for message in messages]
