"""Judges recorded streams: one function for each guarantee of the contract.

`check_result_stream` judges streams that end with their call, `check_watch` those that are watched and
resumed. The records of watch streams know no transport: `from_responses` makes them of protobuf messages, a
simulation makes its own.
"""

from vidence_client.conformance.record import (
    Connection,
    Gap,
    Kind,
    LoggedEvent,
    LoggedHole,
    Message,
    PublishedLog,
    WatchedEvent,
    Watcher,
    from_responses,
)
from vidence_client.conformance.result import (
    Response,
    check_complete,
    check_isolated,
    check_ordered,
    check_progress,
    check_result_stream,
    check_terminated,
    check_unique,
)
from vidence_client.conformance.violation import Violation
from vidence_client.conformance.watch import check_watch
from vidence_client.conformance.watch_completeness import (
    check_watch_filtered,
    check_watch_reliable,
    check_watch_unique,
)
from vidence_client.conformance.watch_order import (
    check_watch_chained,
    check_watch_isolated,
    check_watch_ordered,
    check_watch_terminated,
)
from vidence_client.conformance.watch_resume import check_watch_bookmarkable, check_watch_resumable

__all__ = [
    "Connection",
    "Gap",
    "Kind",
    "LoggedEvent",
    "LoggedHole",
    "Message",
    "PublishedLog",
    "Response",
    "Violation",
    "WatchedEvent",
    "Watcher",
    "check_complete",
    "check_isolated",
    "check_ordered",
    "check_progress",
    "check_result_stream",
    "check_terminated",
    "check_unique",
    "check_watch",
    "check_watch_bookmarkable",
    "check_watch_chained",
    "check_watch_filtered",
    "check_watch_isolated",
    "check_watch_ordered",
    "check_watch_reliable",
    "check_watch_resumable",
    "check_watch_terminated",
    "check_watch_unique",
    "from_responses",
]
