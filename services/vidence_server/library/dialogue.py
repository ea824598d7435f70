"""The client's side of a query session: refinements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.library.convert import invalid
from vidence_server.library.convert_search import to_search
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.streams.subscription import Subscription

Refine = Callable[[SearchRequest], Awaitable[object]]
"""Changes what the session's query looks for."""


class QueryDialogue:
    """Reads what the client says, from its opening to its half-close; fits `runtime.watch_streams.Dialogue`.

    Owns the task that reads, from `begin` to the end of its context. One refinement is in work; the next is
    not read before.
    """

    def __init__(self, requests: AsyncIterator[pb.QuerySessionRequest]) -> None:
        self._requests = requests
        self._refine: Refine | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        if self._ended.done() and not self._ended.cancelled():
            self._ended.exception()  # nobody asks for it any more

    async def opening(self) -> pb.OpenQueryRequest:
        """What the session opens with; raises `DomainError`, REQUEST_INVALID, where it begins otherwise."""
        first = await anext(aiter(self._requests), None)
        if first is None or not first.HasField("opening"):
            raise invalid("message", "the first message of a session is its opening")
        return first.opening

    def refine_by(self, refine: Refine) -> None:
        """Says what a refinement does; to be called before `begin`."""
        self._refine = refine

    def begin(self, subscription: Subscription) -> None:
        """The subscription is open."""
        del subscription
        self._reading = asyncio.create_task(self._read(), name="query session")

    async def reply(self) -> bytes | None:
        """None after the client's half-close; results are all that is ever answered.

        Raises:
            DomainError: What a refinement was refused for.
        """
        await asyncio.shield(self._ended)
        return None

    async def _read(self) -> None:
        try:
            async for request in self._requests:
                if not request.HasField("refinement") or self._refine is None:
                    raise invalid("message.opening", "a session is opened once")
                search = request.refinement.search
                await self._refine(to_search(search.query, search.k, search.options))
        except Exception as error:  # noqa: BLE001  # raised to whoever asks for the next reply
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
