"""Reviews: several people see one subject together, and whoever decides on old news is told so."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from vidence_server.core.clock import Clock
from vidence_server.core.erasure import Erasure, KindCount, counted
from vidence_server.core.errors import DomainError, Reason
from vidence_server.review import store
from vidence_server.review.domain.events import Change, Claimed, Decided, Noted, Released
from vidence_server.review.domain.review import Attendant, Note, Review, Verdict, full
from vidence_server.review.ledger import Ledger, review_log
from vidence_server.review.settings import ReviewSettings
from vidence_server.review.store import Name, PagePlace
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.runtime.watch_streams import Subscribable
from vidence_server.storage import log_table
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.erasure import empty_log
from vidence_server.streams.cursor import Cursor, log_id

_Result = TypeVar("_Result")
_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class WholeReview:
    """Everything there is of a review at one moment."""

    review: Review
    notes: tuple[Note, ...]
    attendants: tuple[Attendant, ...]
    cursor: str
    """Of the newest entry of its log; empty where it has none."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page of reviews."""

    reviews: tuple[Review, ...]
    next_page_token: str


class ReviewService:
    """All operations on reviews.

    Each change is one transaction under the name of its review: two reviewers on two servers change it one
    after another, and the second one is told that the revision is another one.
    """

    def __init__(
        self, database: Database, logs: ServiceLogs, ledger: Ledger, clock: Clock, settings: ReviewSettings
    ) -> None:
        self._database = database
        self._logs = logs
        self._ledger = ledger
        self._clock = clock
        self._settings = settings

    @property
    def lease_s(self) -> float:
        """How long somebody counts as present who says nothing, s."""
        return self._settings.presence_lease_s

    def log_of(self, name: Name) -> Subscribable:
        """Where watchers of a review subscribe."""
        return self._logs.of(review_log(name))

    async def whole(self, name: Name) -> WholeReview:
        """A review at one moment; raises `DomainError`, STORAGE_FAILED."""
        log = review_log(name)
        async with self._database.snapshot() as snapshot:
            review = await store.select_review(snapshot, name)
            notes = tuple(await store.select_notes(snapshot, name))
            attendants = await store.select_attendants(snapshot, name)
            head = await log_table.select_head(snapshot, *log)
        cursor = "" if head is None else str(Cursor(log_id(*log), head.epoch, head.newest))
        return WholeReview(review, notes, attendants, cursor)

    async def page(self, tenant: str, *, page_size: int, page_token: str, undecided: bool) -> ReviewPage:
        """A page of reviews, the last changed first; raises `DomainError`, PAGE_TOKEN_INVALID."""
        before, limit = _place(page_token), page_size or _PAGE_SIZE
        async with self._database.snapshot() as snapshot:
            found = await store.select_page(
                snapshot, tenant, before=before, undecided=undecided, limit=limit + 1
            )
        more = len(found) > limit
        return ReviewPage(tuple(found[:limit]), _token(found[limit - 1]) if more else "")

    async def claim(self, name: Name, reviewer: str, *, expected: int, take_over: bool) -> Review:
        """Makes somebody the one who works on it; raises `DomainError`, REVIEW_CHANGED, REVIEW_CLAIMED."""

        def decide(review: Review) -> Change | None:
            after = review.claimed(reviewer, self._clock.now(), expected=expected, take_over=take_over)
            return None if after is review else Claimed(after, review.claim is not None)

        return await self._change(name, decide)

    async def release(self, name: Name, reviewer: str) -> Review:
        """Takes a claim back."""

        def decide(review: Review) -> Change | None:
            after = review.released(reviewer, self._clock.now())
            return None if after is review else Released(after)

        return await self._change(name, decide)

    async def decide(self, name: Name, reviewer: str, verdict: Verdict, *, expected: int) -> Review:
        """Keeps a decision; raises `DomainError`, REVIEW_CHANGED, REVIEW_CLAIMED."""

        def decide(review: Review) -> Change | None:
            after = review.decided(reviewer, verdict, self._clock.now(), expected=expected)
            return None if after is review else Decided(after)

        return await self._change(name, decide)

    async def note(self, name: Name, note_id: str, reviewer: str, text: str) -> tuple[Note, Review]:
        """Keeps a note; raises `DomainError`, REVIEW_FULL."""

        async def work(transaction: Transaction) -> tuple[Note, Review]:
            review = await store.select_review(transaction, name)
            known = await store.select_note(transaction, name, note_id)
            if known is not None:
                return known, review
            review = review.noted(self._clock.now(), limit=self._settings.max_notes)
            note = Note(note_id, reviewer, text, review.update_time or self._clock.now())
            await store.insert_note(transaction, name, review.note_count, note)
            await self._ledger.change(transaction, Noted(review, note))
            return note, review

        return await self._run(name, work)

    async def attend(self, name: Name, attendance_id: str, reviewer: str) -> tuple[Attendant, ...]:
        """Lets somebody count as present; raises `DomainError`, REVIEW_FULL."""

        async def work(transaction: Transaction) -> tuple[Attendant, ...]:
            now = self._clock.now()
            until = now + timedelta(seconds=self._settings.presence_lease_s)
            if not await store.renew_attendant(transaction, name, attendance_id, reviewer, until):
                there = await store.select_attendants(transaction, name)
                if len(there) >= self._settings.max_attendants:
                    raise full(self._settings.max_attendants)
                attendant = Attendant(attendance_id, reviewer, now)
                await store.insert_attendant(transaction, name, attendant, until)
                await self._ledger.tell_presence(transaction, name)
            return await store.select_attendants(transaction, name)

        return await self._run(name, work)

    async def leave(self, name: Name, attendance_id: str) -> None:
        """Lets somebody count as present no more."""

        async def work(transaction: Transaction) -> None:
            if await store.delete_attendant(transaction, name, attendance_id):
                await self._ledger.tell_presence(transaction, name)

        await self._run(name, work)

    async def erase(self, tenant: str, subjects: Sequence[str], *, dry_run: bool) -> Erasure:
        """Deletes the reviews of what belongs to a person that is to be erased, or only counts them.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; to be repeated.
        """
        reviews = notes = 0
        for subject in subjects:
            name = Name(tenant, subject)
            async with self._database.snapshot() as snapshot:
                review = await store.select_review(snapshot, name)
            if review.revision == 0:
                continue
            reviews, notes = reviews + 1, notes + review.note_count
            if not dry_run:
                await self._run(name, partial(self._delete_if_there, name=name))
        if not dry_run:
            await empty_log(self._database)
        found = {"review": reviews, "review_note": notes}
        return counted(KindCount(kind, count, 0 if dry_run else count) for kind, count in found.items())

    async def delete(self, name: Name) -> None:
        """Deletes a review; raises `DomainError`, REVIEW_NOT_FOUND."""

        async def work(transaction: Transaction) -> None:
            review = await store.select_review(transaction, name)
            if review.revision == 0:
                raise DomainError(Reason.REVIEW_NOT_FOUND, "Nobody has reviewed this yet.")
            await self._ledger.delete(transaction, review)

        await self._run(name, work)

    async def _delete_if_there(self, transaction: Transaction, name: Name) -> None:
        review = await store.select_review(transaction, name)
        if review.revision:
            await self._ledger.delete(transaction, review)

    async def _change(self, name: Name, decide: Callable[[Review], Change | None]) -> Review:
        async def work(transaction: Transaction) -> Review:
            review = await store.select_review(transaction, name)
            change = decide(review)
            if change is None:
                return review
            await self._ledger.change(transaction, change)
            return change.review

        return await self._run(name, work)

    async def _run(self, name: Name, work: Callable[[Transaction], Awaitable[_Result]]) -> _Result:
        return await self._database.run(work, scope=f"{name.tenant}/{name.subject}")


def _token(last: Review) -> str:
    if last.update_time is None:
        raise ValueError("a review that is listed was changed")
    text = f"{last.update_time.isoformat()} {last.subject}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _place(token: str) -> PagePlace | None:
    if not token:
        return None
    try:
        time, _, subject = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
        place = PagePlace(datetime.fromisoformat(time), subject)
    except (binascii.Error, ValueError) as error:
        raise _token_invalid() from error
    if place.update_time.tzinfo is None or not subject:
        raise _token_invalid()
    return place


def _token_invalid() -> DomainError:
    return DomainError(Reason.PAGE_TOKEN_INVALID, "The page token was not given by this server.")
