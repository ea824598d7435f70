"""Watch streams over WebSocket: `{type: event|ping|pong|error, data|message|timestamp}`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import grpc
from google.protobuf.message import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from vidence_server.bridge.answers import first_of
from vidence_server.bridge.calls import Bridge
from vidence_server.bridge.contract import Match
from vidence_server.bridge.items import items_of
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.plain import dumps
from vidence_server.bridge.problems import problem_of
from vidence_server.bridge.requests import RequestReader
from vidence_server.bridge.services import SOCKETS
from vidence_server.bridge.upstream import metadata_of
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason

NORMAL, GOING_AWAY, POLICY, FAILED, COME_BACK = 1000, 1001, 1008, 1011, 1012
"""Close codes (RFC 6455 and the IANA registry)."""
_SOCKETS = [(PathTemplate(path), PathTemplate(meant)) for path, meant in SOCKETS.items()]
_CLOSE_S = 2.0


class Sockets:
    """The endpoint of all WebSockets."""

    def __init__(self, bridge: Bridge, clock: Clock) -> None:
        self._bridge = bridge
        self._clock = clock

    async def serve(self, socket: WebSocket) -> None:
        """Serves one from its handshake to its end."""
        numbers = self._bridge.statistics
        headers = dict(socket.headers)
        try:
            self._bridge.check_origin(headers)
            match, request = self._request(socket, headers)
            if numbers.open_sockets >= self._bridge.settings.max_sockets:
                raise DomainError(
                    Reason.STREAM_LIMIT, "No more WebSockets are open at once.", retry_after_s=5
                )
        except DomainError as error:
            numbers.refused += 1
            await socket.send_denial_response(problem_of(error).response(self._bridge.contract.pool))
            return
        numbers.sockets += 1
        numbers.open_sockets += 1
        try:
            await socket.accept()
            await _Conversation(self._bridge, socket, self._clock).run(match, request)
        finally:
            numbers.open_sockets -= 1

    def _request(self, socket: WebSocket, headers: Mapping[str, str]) -> tuple[Match, Message]:
        path = bytes(socket.scope.get("raw_path") or socket.url.path.encode()).decode("latin-1")
        for template, meant in _SOCKETS:
            variables = template.match(path)
            match = None if variables is None else self._bridge.contract.match("GET", meant.fill(variables))
            if match is not None:
                query = socket.query_params.multi_items()
                return match, RequestReader(match, query, headers, self._bridge.contract.pool).watch()
        raise DomainError(Reason.PATH_UNKNOWN, "No WebSocket is offered here.")


class _Conversation:
    """One open WebSocket: what is watched goes out, pings go both ways, silence ends it.

    Nothing is queued: each part waits until the socket takes what it has to say.
    """

    def __init__(self, bridge: Bridge, socket: WebSocket, clock: Clock) -> None:
        self._bridge = bridge
        self._socket = socket
        self._clock = clock
        self._heard_s = clock.monotonic()
        self._code, self._why = GOING_AWAY, "the bridge stops"

    async def run(self, match: Match, request: Message) -> None:
        """Talks until the stream, the peer or the bridge ends."""
        with suppress(WebSocketDisconnect):
            await first_of(
                self._tell(match, request), self._listen(), self._ping(), self._silence(), self._drained()
            )
        if self._socket.client_state is WebSocketState.CONNECTED:
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(_CLOSE_S):
                    await self._socket.close(self._code, self._why)

    async def _tell(self, match: Match, request: Message) -> None:
        metadata = metadata_of(dict(self._socket.headers))
        call = self._bridge.upstream.stream(match.rpc, request, metadata)
        try:
            await self._pass_on(match, aiter(call))
        except grpc.aio.AioRpcError as error:
            problem = problem_of(error)
            data = problem.plain(self._bridge.contract.pool)
            await self._send("error", message=problem.status.message, data=data)
            self._end(COME_BACK if problem.is_passing else FAILED, "the stream failed")
        finally:
            call.cancel()

    async def _pass_on(self, match: Match, responses: AsyncIterator[Message]) -> None:
        self._end(COME_BACK, "connect again after the last cursor")
        async for response in responses:
            for item in items_of(match.rpc, response, self._bridge.contract.pool):
                await self._send("event", cursor=item.cursor, data=item.envelope)
                self._bridge.statistics.sent += 1
                if item.ends_for_good:
                    self._end(NORMAL, "what was watched is over")

    async def _listen(self) -> None:
        """Answers pings; returns when the peer is gone."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._heard_s = self._clock.monotonic()
            kind = _kind_of(message.get("text"))
            if kind == "ping":
                await self._send("pong")
            elif kind != "pong":
                await self._send("error", message="A message is {type: ping} or {type: pong}.")

    async def _ping(self) -> None:
        while True:
            await self._send("ping")
            await asyncio.sleep(self._bridge.settings.socket_ping_s)

    async def _silence(self) -> None:
        """Returns when the peer has said nothing for too long."""
        limit_s = self._bridge.settings.socket_silence_s
        while (left_s := limit_s - (self._clock.monotonic() - self._heard_s)) > 0:  # noqa: ASYNC110  # a deadline that moves
            await asyncio.sleep(left_s)
        self._bridge.statistics.silent += 1
        self._end(POLICY, f"silent for {limit_s:g} s")

    async def _drained(self) -> None:
        await self._bridge.draining.wait()
        self._end(COME_BACK, "the bridge stops")

    def _end(self, code: int, why: str) -> None:
        self._code, self._why = code, why

    async def _send(self, kind: str, **members: object) -> None:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        text = dumps({"type": kind, **members, "timestamp": now})
        with suppress(RuntimeError):  # it closed meanwhile; `_listen` is about to notice
            await self._socket.send_text(text)


def _kind_of(text: object) -> str:
    try:
        members = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return ""
    kind = members.get("type") if isinstance(members, dict) else None
    return kind if isinstance(kind, str) else ""
