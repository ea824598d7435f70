"""A live query over one call, in which the client can change what it looks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import grpc

from vidence.library.v1 import library_service_pb2, search_pb2
from vidence_client.channel import Channel
from vidence_client.watch import Watch
from vidence_client.watch_shape import ReconnectListener

Request = library_service_pb2.QuerySessionRequest
Response = library_service_pb2.QuerySessionResponse
Call = grpc.aio.StreamStreamCall[Request, Response]


class QuerySession(Watch[Response, library_service_pb2.QueryEvent]):
    """The lists of a live query, each whole; `refine` changes the search, and the next list answers it.

    The query ends with the session. A broken connection is replaced as by every `Watch`, by a new query with
    the search of now: its first list comes again, and `query_revision` counts from 1 again.
    """

    def __init__(
        self,
        begin: Callable[[], Call],
        channel: Channel,
        library_id: str,
        search: search_pb2.Search,
        *,
        on_reconnect: ReconnectListener | None = None,
    ) -> None:
        """A session that is not opened yet; the first list that is asked for opens it.

        Args:
            begin: Starts a call.
            channel: As in `Watch`.
            library_id: Where to look.
            search: What for, with k up to 100.
            on_reconnect: As in `Watch`.
        """
        super().__init__(self._begin, _results_of, channel, on_gap=_passed_over, on_reconnect=on_reconnect)
        self._new_call = begin
        self._library_id = library_id
        self._search = search
        self._talk: _Talk | None = None

    @property
    def search(self) -> search_pb2.Search:
        """What is looked for, as it was last said."""
        return self._search

    async def refine(self, search: search_pb2.Search) -> None:
        """Changes what is looked for. Before the session is open, it opens with it.

        A search that cannot be made fails the session: whoever reads is told why.
        """
        self._search = search
        if self._talk is not None:
            await self._talk.refine(search)

    def _begin(self, position: str) -> _Talk:
        del position
        self._position = ""  # another query has another log
        self._talk = _Talk(self._new_call(), self._opening)
        return self._talk

    def _opening(self) -> library_service_pb2.OpenQueryRequest:
        return library_service_pb2.OpenQueryRequest(library_id=self._library_id, search=self._search)

    def _drop_call(self) -> None:
        super()._drop_call()
        self._talk = None


class _Talk:
    """A call that says its opening before its first message is read."""

    def __init__(self, call: Call, opening: Callable[[], library_service_pb2.OpenQueryRequest]) -> None:
        self._call = call
        self._opening = opening
        self._opened = False
        self._saying = asyncio.Lock()

    async def read(self) -> object:
        """Returns the next message, or `grpc.aio.EOF`."""
        if not self._opened:
            async with self._saying:
                self._opened = True
                await self._say(Request(opening=self._opening()))
        return await self._call.read()

    async def refine(self, search: search_pb2.Search) -> None:
        """Says a refinement; an opening that is not said yet has it already."""
        if self._opened:
            async with self._saying:
                refinement = library_service_pb2.QueryRefinement(search=search)
                await self._say(Request(refinement=refinement))

    def cancel(self) -> bool:
        """Cancels the call."""
        return bool(self._call.cancel())

    async def _say(self, request: Request) -> None:
        """Sends a message; where the connection is broken, the reading side finds out why."""
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            return


def _passed_over(_gap: object) -> None:
    """Lists that were missed do not matter: the next one is whole."""


def _results_of(response: Response) -> Sequence[library_service_pb2.QueryEvent]:
    return response.events
