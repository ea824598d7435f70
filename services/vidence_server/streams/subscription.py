"""One subscriber: a place in the log, moved on by whoever writes for it."""

from __future__ import annotations

import asyncio

from vidence_server.streams.entry import GapReason
from vidence_server.streams.frames import Batch, Beat, End, EndReason, Frame, Gap, Opening, encode_batch
from vidence_server.streams.log import LogPage
from vidence_server.streams.page_stretch import first_stretch
from vidence_server.streams.requests import OnOverflow, SubscriptionRequest
from vidence_server.streams.sleep import Sleep
from vidence_server.streams.source import Progress, Source
from vidence_server.streams.view import FilterView

# Timers may fire a little early; without this a heartbeat would be waited for twice.
_TIMER_SLACK_S = 0.001
_STORE_PAUSE_S = 0.005
MAX_CREDIT = 1_000_000


class Subscription:
    """Gives frames one after another; the next one is asked for when the last was written.

    It holds no events: only how far its reader was told. A subscriber that does not read
    costs no more than this object.
    """

    def __init__(
        self,
        request: SubscriptionRequest,
        source: Source,
        view: FilterView,
        *,
        begin: int,
        first: Gap | None,
        opened_at_ns: int,
    ) -> None:
        """Starts after offset `begin`, or with a gap that ends there."""
        self.request = request
        self.opened_at_ns = opened_at_ns
        self.progress = Progress()
        self.view = view
        self.scanned = begin
        """Offset up to which the log was looked at for this subscriber."""
        self._source = source
        self._told = begin
        self._loop = asyncio.get_running_loop()
        self._opening: Opening | None = Opening(
            first.previous_cursor if first is not None else source.cursor_of(begin)
        )
        self._first = first
        self._end: EndReason | None = None
        self.waiting = False
        """Whether it has everything there is for it."""
        self._sleep = Sleep()
        self._turn = 0
        """Number of the round in which it may write, or writes; 0: it has no turn."""
        self._paused = False
        self._silent_since_s = self._loop.time()
        self._handed_out_s: float | None = None
        self._unconfirmed = 0
        self._timer = self._loop.call_later(request.heartbeat_period_s, self._tick)
        self._beat_due = False
        self._credit: int | None = None
        self._acknowledged: int | None = None
        self.live = begin >= source.ring.start
        """Whether it has reached the ring; behind it after that means too slow."""

    @property
    def ended(self) -> bool:
        """Whether the server has ended it."""
        return self._end is not None

    @property
    def lag(self) -> int:
        """How many offsets of the log it is behind."""
        return 0 if self.waiting else self._source.ring.head - self.scanned

    @property
    def cursor(self) -> str:
        """How far its reader was told."""
        return self._source.cursor_of(self._told)

    @property
    def acknowledged(self) -> str:
        """The cursor up to which its reader said that it was done; empty: it said nothing."""
        return "" if self._acknowledged is None else self._source.cursor_of(self._acknowledged)

    def acknowledge(self, offset: int) -> bool:
        """Its reader is done with everything up to `offset`; whether that was told to it at all."""
        known = offset <= self._told
        if known:
            self._acknowledged = max(offset, self._acknowledged or 0)
        return known

    def stalled_s(self) -> float:
        """How long its reader has not taken the last frame, s; 0 while none is on its way."""
        return 0.0 if self._handed_out_s is None else self._loop.time() - self._handed_out_s

    async def next(self) -> Frame:
        """The next frame, when there is one. Asking for it says that the one before was written.

        After an `End` nothing follows. Not for several tasks at once.

        Raises:
            DomainError: STORAGE_FAILED where the log cannot be read.
        """
        self._written()
        while True:
            frame = self._pending() or await self._following()
            if frame is not None:
                self._handed_out_s = self._loop.time()
                return frame

    def limit(self, credit: int) -> None:
        """Gives no more events than it has credit for, from now on; `grant` adds to it."""
        self._credit = credit

    def grant(self, count: int) -> None:
        """Its reader can take `count` more events; more than `MAX_CREDIT` in all counts as that."""
        self._credit = min(MAX_CREDIT, (self._credit or 0) + count)
        if self._paused:
            self._sleep.rouse()

    def notice(self, scanned: int) -> None:
        """There is something to look at after offset `scanned`: it gets in line."""
        if self.waiting:
            self.waiting = False
            self.scanned = max(self.scanned, scanned)
            self._source.turns.line_up(self)

    def proceed(self, number: int) -> bool:
        """It is its turn, in the round of this number; whether it was asleep."""
        roused = self._sleep.rouse()
        if roused:
            self._turn = number
        return roused

    def end(self, reason: EndReason) -> None:
        """Ends it; its reader is told with the next frame, or, with ENDED, when it has everything."""
        if self._end is None:
            self._end = reason
            self._sleep.rouse()

    def close(self) -> None:
        """Lets go of everything; the transport calls it, through `Broadcast.close`."""
        self._timer.cancel()
        self._give_turn_back()

    def _written(self) -> None:
        self._handed_out_s = None
        self._give_turn_back()
        self._silent_since_s = self._loop.time()
        self.progress.delivered += self._unconfirmed
        self._unconfirmed = 0
        if self.request.on_overflow is OnOverflow.BLOCK:
            self._source.moved(self)

    def _pending(self) -> Frame | None:
        """What is to be told before any further event."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            return opening
        if self._first is not None:
            first, self._first = self._first, None
            return self._lost(first)
        if self._end is not None and (self._end is not EndReason.ENDED or self._has_all()):
            return End(self.cursor, self._end)
        return None

    async def _following(self) -> Frame | None:
        if self._credit == 0:
            return await self._pause()
        behind = self.scanned < self._source.ring.start
        self.live = self.live or not behind
        if not behind and not self.view.has_after(self.scanned):
            self.scanned = self.view.evaluated
            self._give_turn_back()
            return await self._wait()
        self._turn = self._turn or self._source.turns.take()
        if not self._turn:
            self._source.turns.line_up(self)
            await self._sleep.until_roused()
            return None
        if behind:
            return await self._catch_up()
        batch = self.view.batch(self._told, self.scanned, self._credit)
        return None if batch is None else self._moved_on(batch)

    async def _wait(self) -> Frame | None:
        """Waits for something to look at, and then for its turn; or for the next heartbeat."""
        if self._end is None and not self._beat_due:
            self.waiting = True
            self.view.waiters[self] = None
            try:
                await self._sleep.until_roused()
            finally:
                self.view.waiters.pop(self, None)
                self._look_on()
        return self._beat() if self._beat_due else None

    async def _pause(self) -> Frame | None:
        """Waits for credit, or for the next heartbeat."""
        self._give_turn_back()
        if self._end in {None, EndReason.ENDED} and not self._beat_due:
            self._paused = True
            try:
                await self._sleep.until_roused()
            finally:
                self._paused = False
        return self._beat() if self._beat_due else None

    def _give_turn_back(self) -> None:
        if self._turn:
            number, self._turn = self._turn, 0
            self._source.turns.give_back(number)

    def _look_on(self) -> None:
        """Goes on from where nothing that it wants was seen."""
        if self.waiting:
            self.waiting = False
            self.scanned = max(self.scanned, self.view.quiet)

    async def _catch_up(self) -> Frame | None:
        """Reads on in the log, from where the ring no longer reaches."""
        source = self._source
        oldest = source.bounds().oldest
        if self.scanned < oldest:
            return self._gap(oldest, GapReason.EXPIRED, source.missed(self.scanned, oldest))
        page = await source.read(self.scanned, source.ring.head)
        if self.scanned < source.bounds().oldest:
            return None  # retention overtook the reading
        if self._loop.time() - self._silent_since_s >= self.request.heartbeat_period_s:
            self._beat_due = True
        if page.end <= self.scanned:
            # Broadcast before it is written, and gone from the ring: the log has it within milliseconds.
            await asyncio.sleep(_STORE_PAUSE_S)
        else:
            frame = self._from_page(page)
            if frame is not None:
                return frame
            await asyncio.sleep(0)  # the next page may be in memory: a long search must not hold the loop
        return self._beat() if self._beat_due else None

    def _from_page(self, page: LogPage) -> Frame | None:
        """A message of a page's entries up to its first hole, or that hole."""
        events, until, hole = first_stretch(page, self.scanned, self.request.filter, self._credit)
        if hole is not None:
            return self._gap(hole.until, hole.reason, hole.missed_count)
        if not events:
            self.scanned = until
            return None
        message = encode_batch(events, self._source.cursor_of(until), self.cursor)
        return self._moved_on(Batch(message, len(events), until))

    def _moved_on(self, batch: Batch) -> Batch:
        self._told = self.scanned = batch.until
        self._unconfirmed = batch.size
        if self._credit is not None:
            self._credit -= batch.size
        self._beat_due = False
        return batch

    def _gap(self, until: int, reason: GapReason, missed: int | None) -> Gap:
        gap = Gap(self._source.cursor_of(until), self.cursor, reason, missed)
        self._told = self.scanned = until
        self._beat_due = False
        return self._lost(gap)

    def _lost(self, gap: Gap) -> Gap:
        self.progress.dropped += gap.missed_count or 0
        self._source.told_gap(gap)
        return gap

    def _beat(self) -> Beat:
        previous = self.cursor
        self._told = self.scanned
        self._beat_due = False
        self.progress.heartbeats += 1
        return Beat(self.cursor, previous)

    def _has_all(self) -> bool:
        self.view.evaluate()
        at_head = self.scanned == self._source.ring.head
        return at_head or (
            self.scanned >= self._source.ring.start and self.view.batch(self._told, self.scanned) is None
        )

    def _tick(self) -> None:
        """The one timer: set again when it fires, not with each message."""
        period_s = self.request.heartbeat_period_s
        silent_s = self._loop.time() - self._silent_since_s
        if silent_s >= period_s - _TIMER_SLACK_S:
            if self.waiting or self._paused:
                self._beat_due = True
                self._sleep.rouse()
            # Also while a frame is on its way: the silence begins anew when it was taken.
            silent_s = 0.0
        self._timer = self._loop.call_later(max(_TIMER_SLACK_S, period_s - silent_s), self._tick)
