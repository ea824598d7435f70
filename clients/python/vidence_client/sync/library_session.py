"""A live query over one call, for plain code."""

from __future__ import annotations

from vidence.library.v1 import library_service_pb2, search_pb2
from vidence_client.library_session import QuerySession as AsyncQuerySession
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Watch


class QuerySession(Watch[library_service_pb2.QuerySessionResponse, library_service_pb2.QueryEvent]):
    """Lists of a live query that can be refined; see `vidence_client.library_session.QuerySession`.

    One thread reads the lists; another may refine meanwhile.
    """

    def __init__(self, session: AsyncQuerySession, thread: LoopThread) -> None:
        super().__init__(session, thread)
        self._session = session

    @property
    def search(self) -> search_pb2.Search:
        """What is looked for, as it was last said."""
        return self._session.search

    def refine(self, search: search_pb2.Search) -> None:
        """Changes what is looked for; the next list answers it."""
        self._thread.run(self._session.refine(search))
