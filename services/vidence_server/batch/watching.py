"""Which log a watcher of a batch or job wants."""

from __future__ import annotations

from collections.abc import Callable

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.service_logs import LogName, ServiceLogs
from vidence_server.runtime.watch_streams import Subscribable, WatchRequest
from vidence_server.streams.cursor import log_id
from vidence_server.streams.requests import AfterCursor


class Watching:
    """Finds logs of runs."""

    def __init__(self, logs: ServiceLogs) -> None:
        self._logs = logs

    def source(
        self, name_of: Callable[[int], LogName], newest: int, asked: int, request: WatchRequest
    ) -> Subscribable:
        """Where the events of a run come from.

        Args:
            name_of: The log of a run.
            newest: The newest run there is.
            asked: The run that is wanted; 0: that of the cursor, else the newest.
            request: What the watcher asks for.

        Raises:
            DomainError: REQUEST_INVALID: there is no such run.
        """
        if asked > newest:
            raise DomainError(Reason.REQUEST_INVALID, f"There is no run {asked} yet; the newest is {newest}.")
        run = asked or newest
        if not asked and isinstance(request.start, AfterCursor):
            wanted = request.start.cursor.log
            # A cursor of none of them is refused as a foreign one by the log of the newest.
            run = next((each for each in range(newest, 0, -1) if log_id(*name_of(each)) == wanted), newest)
        return self._logs.of(name_of(run))
