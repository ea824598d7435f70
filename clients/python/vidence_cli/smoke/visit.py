"""Asks the probes of one service, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from vidence_cli.smoke.contract import Rpc
from vidence_cli.smoke.outcome import Outcome, Verdict
from vidence_cli.smoke.probe import Kept, Missing, Probe, Unexpected
from vidence_cli.smoke.probes.table import Tour
from vidence_client import VidenceError

_HTTP_BODY = "google.api.HttpBody"
_CLEAN_UP_S = 10.0


class Visit:
    """Asks one service.

    Args:
        service: Its name.
        channel: The connection.
        rpcs: Every RPC by name.
        kept: What its probes know.
        until_s: When to give up, on the loop's clock.
    """

    def __init__(
        self, service: str, channel: grpc.aio.Channel, rpcs: Mapping[str, Rpc], kept: Kept, until_s: float
    ) -> None:
        self._service = service
        self._channel = channel
        self._rpcs = rpcs
        self._kept = kept
        self._until_s = until_s

    async def run(self, tour: Tour) -> list[Outcome]:
        """Asks all probes of a tour; those that failed hold up only what needs them."""
        try:
            return [await self._outcome(probe) for probe in tour.probes]
        finally:
            await self._clean_up(tour.clean_up)

    async def _outcome(self, probe: Probe) -> Outcome:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        verdict, told = Verdict.OK, ""
        try:
            answer = await self._ask(probe, max(0.0, self._until_s - started_s))
            if probe.refusal:
                raise Unexpected(f"{probe.refusal} was the right answer")
            probe.keep(self._kept, answer)
        except grpc.aio.AioRpcError as error:
            verdict, told = _judged(probe, VidenceError.from_rpc_error(error))
        except (Missing, Unexpected) as error:
            verdict, told = Verdict.FAILED, str(error)
        method = self._rpcs[probe.rpc].method
        return Outcome(self._service, method, verdict, loop.time() - started_s, told)

    async def _ask(self, probe: Probe, timeout_s: float) -> Message:
        """Gives the response, of a stream the one that was enough.

        Raises:
            grpc.aio.AioRpcError: The call failed.
            Unexpected: The stream ended before.
            Missing: An earlier probe failed.
        """
        rpc = self._rpcs[probe.rpc]
        made = probe.requests(self._kept)
        requests = [made] if isinstance(made, Mapping) else list(made)
        messages = [ParseDict(dict(request), rpc.request()) for request in requests]
        if not rpc.server_streaming:
            return await self._call(rpc, messages, timeout_s)
        heard = asyncio.Event()
        if not probe.dialogue:
            heard.set()
        call = self._stream(rpc, messages, timeout_s, heard)
        try:
            return await _awaited(call, probe)
        finally:
            heard.set()
            call.cancel()

    async def _call(self, rpc: Rpc, messages: Sequence[Message], timeout_s: float) -> Message:
        path, kinds = _wire(rpc)
        if rpc.client_streaming:
            many = self._channel.stream_unary(path, **kinds)
            return await many(_each(messages), timeout=timeout_s)  # type: ignore[no-any-return]  # untyped stubs
        one = self._channel.unary_unary(path, **kinds)
        return await one(messages[0], timeout=timeout_s)  # type: ignore[no-any-return]  # as above

    def _stream(self, rpc: Rpc, messages: Sequence[Message], timeout_s: float, heard: asyncio.Event) -> Any:
        path, kinds = _wire(rpc)
        if rpc.client_streaming:
            return self._channel.stream_stream(path, **kinds)(_each(messages, heard), timeout=timeout_s)
        return self._channel.unary_stream(path, **kinds)(messages[0], timeout=timeout_s)

    async def _clean_up(self, probes: Sequence[Probe]) -> None:
        """Takes away what the run made; what is not there need not be."""
        for probe in probes:
            try:
                await self._ask(probe, _CLEAN_UP_S)
            except (grpc.aio.AioRpcError, Missing, Unexpected):
                continue


def _wire(rpc: Rpc) -> tuple[str, dict[str, Any]]:
    return f"/{rpc.name}", {
        "request_serializer": lambda message: message.SerializeToString(),
        "response_deserializer": rpc.response.FromString,
    }


async def _each(messages: Sequence[Message], heard: asyncio.Event | None = None) -> AsyncIterator[Message]:
    """Gives them; the end comes when the answer was heard, where that is waited for."""
    for message in messages:
        yield message
    if heard is not None:
        await heard.wait()


async def _awaited(call: Any, probe: Probe) -> Message:
    """Reads until there is enough. Pieces of a body are one body."""
    body = b""
    async for message in call:
        if message.DESCRIPTOR.full_name == _HTTP_BODY:
            body += message.data
            message.data = body
        if probe.enough(message):
            return message  # type: ignore[no-any-return]  # untyped stubs
    raise Unexpected("the stream ended before what was waited for")


def _judged(probe: Probe, error: VidenceError) -> tuple[Verdict, str]:
    if probe.refusal and error.reason == probe.refusal:
        return Verdict.OK, f"refused as it should be: {error.reason}"
    if probe.inside and error.code is grpc.StatusCode.UNIMPLEMENTED:
        return Verdict.ABSENT, "for the suite's own processes"
    return Verdict.FAILED, str(error)
