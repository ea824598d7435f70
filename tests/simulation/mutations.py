"""Broken variants of the server. Judges that do not find them would find nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from simulation.disk_store import DiskStore
from vidence_server.core.errors import DomainError, Reason
from vidence_server.streams.append import Draft, Durability
from vidence_server.streams.broadcast import Broadcast
from vidence_server.streams.cursor import Cursor
from vidence_server.streams.durable.durable_log import DurableLog
from vidence_server.streams.durable.group_commit import GroupCommit
from vidence_server.streams.durable.prepared import Prepared
from vidence_server.streams.durable.requests import Outcome
from vidence_server.streams.entry import GapReason, Hole, LogItem
from vidence_server.streams.frames import Batch, End, EndReason
from vidence_server.streams.log import LogPage
from vidence_server.streams.subscription import Subscription
from vidence_server.streams.view import FilterView


@dataclass(frozen=True, slots=True)
class Mutation:
    """One defect.

    Attributes:
        name: What is broken.
        found_by: Promises, one of which must find it.
        break_it: Puts the defect in for as long as it is entered.
    """

    name: str
    found_by: frozenset[str]
    break_it: Callable[[], AbstractContextManager[Any]]


def _broadcast_before_commit() -> AbstractContextManager[Any]:
    right = GroupCommit.prepare

    def wrong(self: GroupCommit[Any], requests: Sequence[Any]) -> Any:
        for request in requests:
            request.durability = Durability.MEMORY
        return right(self, requests)

    return patch.object(GroupCommit, "prepare", wrong)


def _no_sync() -> AbstractContextManager[Any]:
    right = GroupCommit.prepare

    def wrong(self: GroupCommit[Any], requests: Sequence[Any]) -> Any:
        for request in requests:
            request.durability = min(request.durability, Durability.WRITTEN)
        return right(self, requests)

    return patch.object(GroupCommit, "prepare", wrong)


def _repetition_not_synced() -> AbstractContextManager[Any]:
    return patch.object(Prepared, "syncing", property(lambda prepared: False))


def _drafts_changed(change: Callable[[Sequence[Draft]], Sequence[Draft]]) -> AbstractContextManager[Any]:
    right = GroupCommit.prepare

    def wrong(self: GroupCommit[Any], requests: Sequence[Any]) -> Any:
        for request in requests:
            request.drafts = change(request.drafts)
        return right(self, requests)

    return patch.object(GroupCommit, "prepare", wrong)


def _order_lost() -> AbstractContextManager[Any]:
    return _drafts_changed(lambda drafts: [draft._replace(sequence=0) for draft in reversed(drafts)])


def _repetition_taken() -> AbstractContextManager[Any]:
    return _drafts_changed(lambda drafts: [draft._replace(identity=None) for draft in drafts])


def _wrong_reason() -> AbstractContextManager[Any]:
    right = DurableLog.read

    async def wrong(self: DurableLog, after: int, **asked: int) -> LogPage:
        page = await right(self, after, **asked)
        return LogPage([_as_corrupt(item) for item in page.items], page.end)

    return patch.object(DurableLog, "read", wrong)


def _as_corrupt(item: LogItem) -> LogItem:
    return item._replace(reason=GapReason.CORRUPT) if isinstance(item, Hole) else item


def _offsets_reused() -> AbstractContextManager[Any]:
    return patch.object(DiskStore, "reserve", lambda self, number, until: None)


def _failed_commit_answered() -> AbstractContextManager[Any]:
    right = GroupCommit.commit

    def wrong(self: GroupCommit[Any], prepared: Any) -> Outcome[Any]:
        outcome = right(self, prepared)
        if all(isinstance(answer, DomainError) for _, answer in outcome.answers):
            outcome = Outcome((), (), [answer for plan in prepared.plans for answer in plan.answers])
        return outcome

    return patch.object(GroupCommit, "commit", wrong)


def _doubt_forgotten() -> AbstractContextManager[Any]:
    def wrong(self: GroupCommit[Any]) -> None:
        self._doubt = None

    return patch.object(GroupCommit, "settle", wrong)


def _wake_up_dropped() -> AbstractContextManager[Any]:
    right = Subscription.notice

    def wrong(self: Subscription, scanned: int) -> None:
        if scanned % 5 != 4:
            right(self, scanned)

    return patch.object(Subscription, "notice", wrong)


def _hole_skipped() -> AbstractContextManager[Any]:
    right = DurableLog.read

    async def wrong(self: DurableLog, after: int, **asked: int) -> LogPage:
        page = await right(self, after, **asked)
        return LogPage([item for item in page.items if not isinstance(item, Hole)], page.end)

    return patch.object(DurableLog, "read", wrong)


def _chain_of_what_was_sent() -> AbstractContextManager[Any]:
    right = FilterView._joined

    def wrong(self: FilterView, told: int, first: int, limit: int) -> Any:
        return right(self, self._matching[first - 1].offset if first else told, first, limit)

    return patch.object(FilterView, "_joined", wrong)


def _filter_forgotten_in_the_log() -> AbstractContextManager[Any]:
    right = Subscription._from_page

    def wrong(self: Subscription, page: LogPage) -> Any:
        object.__setattr__(self.request, "filter", None)
        return right(self, page)

    return patch.object(Subscription, "_from_page", wrong)


def _expired_cursor_moved_silently() -> AbstractContextManager[Any]:
    def wrong(self: Broadcast, request: Any, cursor: Cursor) -> tuple[int, None]:
        return max(cursor.offset, self.bounds().oldest), None

    return patch.object(Broadcast, "_after", wrong)


def _epoch_not_looked_at() -> AbstractContextManager[Any]:
    right = Broadcast._after

    def wrong(self: Broadcast, request: Any, cursor: Cursor) -> Any:
        return right(self, request, replace(cursor, epoch=self._log.epoch))

    return patch.object(Broadcast, "_after", wrong)


def _epoch_always_the_same() -> AbstractContextManager[Any]:
    right = GroupCommit.open_log

    def wrong(self: GroupCommit[Any], tenant: str, name: str, **_: int) -> Any:
        return right(self, tenant, name, epoch=1)

    return patch.object(GroupCommit, "open_log", wrong)


def _gap_to_a_new_log_says_expired() -> AbstractContextManager[Any]:
    right = Broadcast._after

    def wrong(self: Broadcast, request: Any, cursor: Cursor) -> Any:
        begin, gap = right(self, request, cursor)
        return begin, None if gap is None else gap._replace(reason=GapReason.EXPIRED)

    return patch.object(Broadcast, "_after", wrong)


def _heartbeat_tells_the_newest() -> AbstractContextManager[Any]:
    right = Subscription._beat

    def wrong(self: Subscription) -> Any:
        self.scanned = self._source.ring.head + 1
        return right(self)

    return patch.object(Subscription, "_beat", wrong)


def _no_heartbeat() -> AbstractContextManager[Any]:
    return patch.object(Subscription, "_tick", lambda self: None)


def _seam_repeats() -> AbstractContextManager[Any]:
    right = Subscription._from_page

    def wrong(self: Subscription, page: LogPage) -> Any:
        frame = right(self, page)
        if isinstance(frame, Batch) and self.scanned > self._source.ring.start:
            self.scanned -= 1
        return frame

    return patch.object(Subscription, "_from_page", wrong)


def _no_last_words() -> AbstractContextManager[Any]:
    right = Subscription._pending

    def wrong(self: Subscription) -> Any:
        frame = right(self)
        if isinstance(frame, End) and frame.reason is EndReason.TOO_SLOW:
            raise DomainError(Reason.SUBSCRIBER_TOO_SLOW, "The subscriber fell behind.")
        return frame

    return patch.object(Subscription, "_pending", wrong)


def _time_is_rounded_up() -> AbstractContextManager[Any]:
    right = DurableLog.offset_before

    async def wrong(self: DurableLog, time_ns: int) -> int | None:
        offset = await right(self, time_ns)
        return None if offset is None else offset + 1

    return patch.object(DurableLog, "offset_before", wrong)


MUTATIONS = (
    Mutation("broadcast before the commit", frozenset({"PersistedFirst"}), _broadcast_before_commit),
    Mutation("synced is only written", frozenset({"PersistedFirst", "Durable"}), _no_sync),
    Mutation("a repetition is not synced", frozenset({"Durable"}), _repetition_not_synced),
    Mutation("a call's events lose their order", frozenset({"Counted"}), _order_lost),
    Mutation("a repetition is taken again", frozenset({"Once"}), _repetition_taken),
    Mutation("a gap gives a wrong reason", frozenset({"Honest"}), _wrong_reason),
    Mutation("offsets are used again", frozenset({"NeverReused"}), _offsets_reused),
    Mutation("a failed commit is acknowledged", frozenset({"Durable"}), _failed_commit_answered),
    Mutation("a commit in doubt is forgotten", frozenset({"Live", "Sound", "Reliable"}), _doubt_forgotten),
    Mutation("a wake-up is dropped", frozenset({"Live", "Reliable"}), _wake_up_dropped),
    Mutation("a hole is skipped", frozenset({"Reliable"}), _hole_skipped),
    Mutation("the chain forgets what a filter hid", frozenset({"Chained"}), _chain_of_what_was_sent),
    Mutation("no filter while catching up", frozenset({"Filtered"}), _filter_forgotten_in_the_log),
    Mutation(
        "an expired cursor moves silently",
        frozenset({"Resumable", "Bookmarkable"}),
        _expired_cursor_moved_silently,
    ),
    Mutation(
        "a cursor's epoch is not looked at", frozenset({"Resumable", "Bookmarkable"}), _epoch_not_looked_at
    ),
    Mutation("a new log has the epoch of the old one", frozenset({"NeverReused"}), _epoch_always_the_same),
    Mutation("a gap hides that the log is new", frozenset({"Reliable"}), _gap_to_a_new_log_says_expired),
    Mutation(
        "a heartbeat runs ahead", frozenset({"Reliable", "Ordered", "Live"}), _heartbeat_tells_the_newest
    ),
    Mutation("no heartbeat", frozenset({"Live", "Alive"}), _no_heartbeat),
    Mutation("an event comes again at the seam", frozenset({"Unique"}), _seam_repeats),
    Mutation("no disconnected", frozenset({"Terminated"}), _no_last_words),
    Mutation("a start by time is late", frozenset({"Since"}), _time_is_rounded_up),
)
"""All of them."""
