"""HTTP requests as calls of the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from vidence_server.bridge.answers import CutShort, StreamAnswer, first_of
from vidence_server.bridge.contract import Contract, Match
from vidence_server.bridge.envoy.origins import is_allowed
from vidence_server.bridge.framing import ENDED, RETRY, Framing, stopping
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.peer import Peer
from vidence_server.bridge.plain import dumps, to_plain
from vidence_server.bridge.problems import Problem, is_told, problem_of
from vidence_server.bridge.requests import RequestReader
from vidence_server.bridge.services import ALIASES
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.bridge.statistics import BridgeStatistics
from vidence_server.bridge.upstream import Metadata, StreamCall, Upstream, metadata_of
from vidence_server.core.errors import DomainError, Reason

_EVENTS = "text/event-stream"
_ALIASES = [(PathTemplate(alias), PathTemplate(path)) for alias, path in ALIASES.items()]


@dataclass(frozen=True)
class Bridge:
    """What all endpoints of a process share."""

    contract: Contract
    upstream: Upstream
    settings: BridgeSettings
    statistics: BridgeStatistics = field(default_factory=BridgeStatistics)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the bridge stops: streams that are watched end, and clients come back."""
    overdue: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the grace of a stop is over: calls and results that still run fail with DRAINING."""

    def check_origin(self, headers: dict[str, str]) -> None:
        """Refuses pages that may not ask; a browser sends their requests first and hides the answers later.

        Raises:
            DomainError: ORIGIN_REFUSED.
        """
        if not is_allowed(headers.get("origin"), headers.get("host"), self.settings.origins):
            raise DomainError(Reason.ORIGIN_REFUSED, "This page may not call the suite.")


class Calls:
    """The endpoint of everything that the protos bind to HTTP, and of the aliases."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._uploads = asyncio.Semaphore(bridge.settings.max_uploads)

    async def answer(self, request: Request) -> ASGIApp:
        """The answer of a service, or why there is none."""
        try:
            return await self._answer(request)
        except (DomainError, grpc.aio.AioRpcError) as error:
            return self._refusal(request, problem_of(error))

    async def _answer(self, request: Request) -> ASGIApp:
        headers = dict(request.headers)
        self._bridge.check_origin(headers)
        match = self._match(request.method, unaliased(raw_path(request)))
        if headers.get("last-event-id", "").startswith(ENDED):
            return Response(status_code=204)
        limit = None if match.rpc.client_streaming else self._bridge.settings.max_upload_bytes
        peer = Peer(request.receive, limit)
        query = request.query_params.multi_items()
        pool, lines = self._bridge.contract.pool, self._bridge.settings.max_line_bytes
        reader = RequestReader(match, query, headers, pool, max_line_bytes=lines)
        metadata = metadata_of(headers)
        if match.rpc.client_streaming:
            sent: Message | AsyncIterator[Message] = reader.many(peer)
        else:
            async with self._uploads:
                sent = await reader.one(peer)
            self._bridge.statistics.uploads += reader.content_type == "multipart/form-data"
        if not match.rpc.server_streaming:
            return await self._single(match, sent, metadata, peer)
        framing = Framing(match.rpc, pool, events=_EVENTS in headers.get("accept", "").lower())
        return await self._stream(self._bridge.upstream.stream(match.rpc, sent, metadata), peer, framing)

    def _match(self, verb: str, path: str) -> Match:
        match = self._bridge.contract.match(verb, path)
        if match is None:
            verbs = self._bridge.contract.verbs(path)
            told = f" It takes {', '.join(verbs)}." if verbs else ""
            raise DomainError(Reason.PATH_UNKNOWN, f"Nothing is offered here.{told}")
        return match

    async def _single(
        self, match: Match, sent: Message | AsyncIterator[Message], metadata: Metadata, peer: Peer
    ) -> Response:
        found: list[Message] = []

        async def call() -> None:
            if isinstance(sent, Message):
                found.append(await self._bridge.upstream.unary(match.rpc, sent, metadata))
            else:
                found.append(await self._bridge.upstream.collected(match.rpc, sent, metadata))

        # A peer that goes away cancels the call, and with it the work.
        watching = [] if not isinstance(sent, Message) else [peer.gone()]
        await first_of(call(), *watching, self._stopped())
        if not found and self._bridge.overdue.is_set():
            raise stopping()
        if not found:
            raise DomainError(Reason.CANCELLED, "The client went away.")
        body = dumps(to_plain(found[0], self._bridge.contract.pool))
        return Response(body, media_type="application/json", headers={"cache-control": "no-cache"})

    async def _stopped(self) -> None:
        await self._bridge.overdue.wait()

    async def _stream(self, call: StreamCall, peer: Peer, framing: Framing) -> ASGIApp:
        """Waits for the first response: until then a failure still has a status of its own."""
        responses: AsyncIterator[Message] = aiter(call)
        try:
            first = await anext(responses, None)
        except BaseException:
            call.cancel()
            raise
        media_type = getattr(first, "content_type", "") if framing.is_raw else ""
        return StreamAnswer(
            pieces_of(call, first, responses, framing),
            peer,
            framing,
            # A result that still comes has the grace of the stop; a watch has no end to wait for.
            draining=self._bridge.draining if framing.is_watch else self._bridge.overdue,
            statistics=self._bridge.statistics,
            media_type=media_type,
        )

    def _refusal(self, request: Request, problem: Problem) -> Response:
        if problem.is_passing and _EVENTS in request.headers.get("accept", "").lower():
            # An `EventSource` gives up for good on any other status; so it comes back after the retry delay.
            return Response(RETRY, media_type=_EVENTS, headers={"cache-control": "no-cache"})
        return problem.response(self._bridge.contract.pool)


def raw_path(request: Request) -> str:
    """The path as it came, with its percent signs."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    return bytes(raw).decode("latin-1")


def unaliased(path: str) -> str:
    """What a path means, where it is an alias."""
    for alias, meant in _ALIASES:
        variables = alias.match(path)
        if variables is not None:
            return meant.fill(variables)
    return path


async def pieces_of(
    call: StreamCall, first: Message | None, responses: AsyncIterator[Message], framing: Framing
) -> AsyncGenerator[bytes, None]:
    """What is written of a call; the call ends with it.

    Raises:
        CutShort: raw bytes end without a word of the service.
    """
    try:
        yield framing.opening
        if first is not None:
            yield framing.write(first)
        async for response in responses:
            yield framing.write(response)
    except grpc.aio.AioRpcError as error:
        if not framing.is_raw:
            yield framing.fail(problem_of(error))
        elif not is_told(error):
            raise CutShort from error
        # The service says in the last line of a body why it ends.
        return
    finally:
        call.cancel()
    yield framing.end()
