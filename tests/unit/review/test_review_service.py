"""Reviews as they are kept, in each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.postgres import Home
from vidence_server.core.errors import DomainError, Reason
from vidence_server.review.app import _MIGRATIONS
from vidence_server.review.convert import Codec
from vidence_server.review.domain.review import Verdict
from vidence_server.review.ledger import Ledger
from vidence_server.review.service import ReviewService
from vidence_server.review.settings import ReviewSettings
from vidence_server.review.store import Name
from vidence_server.review.sweeping import Sweeper
from vidence_server.runtime.service_logs import ServiceLogs
from vidence_server.storage.outbox import Outbox

BATCH = Name("default", "batches/bat_1")


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


class Desk:
    """A service and its sweeper, which works when it is told."""

    def __init__(self, service: ReviewService, sweeper: Sweeper, clock: HandClock) -> None:
        self.service = service
        self.sweeper = sweeper
        self.clock = clock

    async def there(self) -> list[str]:
        return [each.reviewer for each in (await self.service.whole(BATCH)).attendants]


@asynccontextmanager
async def desk(home: Home, clock: HandClock | None = None) -> AsyncIterator[Desk]:
    clock = clock or HandClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(home.database(_MIGRATIONS))
        logs = await stack.enter_async_context(ServiceLogs(database, clock=clock))
        outbox = Outbox(database)
        ledger = Ledger(logs, outbox, Codec())
        settings = ReviewSettings(max_notes=3, max_attendants=2)
        sweeper = Sweeper(database, ledger, outbox, clock, settings)
        yield Desk(ReviewService(database, logs, ledger, clock, settings), sweeper, clock)


@pytest.mark.requirement("R-WE5")
async def test_of_those_who_decide_at_once_exactly_one_is_heard(home: Home) -> None:
    async with desk(home) as opened:
        made = await asyncio.gather(
            *(
                opened.service.decide(BATCH, reviewer, verdict, expected=0)
                for reviewer, verdict in (("Ana", Verdict.APPROVED), ("Ben", Verdict.REJECTED))
            ),
            return_exceptions=True,
        )
        refused = [each for each in made if isinstance(each, DomainError)]
        assert [each.reason for each in refused] == [Reason.REVIEW_CHANGED]
        assert (await opened.service.whole(BATCH)).review.revision == 1


@pytest.mark.requirement("R-WE5")
async def test_two_servers_on_one_database_change_one_review_in_turn(shared_home: Home) -> None:
    clock = HandClock()
    async with desk(shared_home, clock) as one, desk(shared_home, clock) as other:
        claims = await asyncio.gather(
            *(
                server.service.claim(BATCH, name, expected=0, take_over=False)
                for server, name in ((one, "Ana"), (other, "Ben"))
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(each, DomainError) for each in claims) == 1
        assert await one.service.whole(BATCH) == await other.service.whole(BATCH)


@pytest.mark.requirement("R-WE5")
async def test_a_note_is_kept_once_however_often_it_comes(home: Home) -> None:
    async with desk(home) as opened:
        first, _ = await opened.service.note(BATCH, "n-1", "Ana", "the seal is blurred")
        again, review = await opened.service.note(BATCH, "n-1", "Ana", "the seal is blurred")
        assert again == first
        assert review.revision == 1
        await opened.service.note(BATCH, "n-2", "Ben", "agreed")
        await opened.service.note(BATCH, "n-3", "Ben", "done")
        with pytest.raises(DomainError) as refused:
            await opened.service.note(BATCH, "n-4", "Ana", "one more")
        assert refused.value.reason is Reason.REVIEW_FULL
        assert [note.id for note in (await opened.service.whole(BATCH)).notes] == ["n-1", "n-2", "n-3"]


@pytest.mark.requirement("R-WE5")
async def test_who_says_nothing_for_the_lease_is_gone(home: Home) -> None:
    async with desk(home) as opened:
        await opened.service.attend(BATCH, "w-1", "Ana")
        await opened.service.attend(BATCH, "w-2", "Ben")
        opened.clock.move(seconds=30)
        await opened.service.attend(BATCH, "w-2", "Ben")
        opened.clock.move(seconds=30)
        await opened.sweeper.sweep_presence()
        assert await opened.there() == ["Ben"]
        await opened.service.leave(BATCH, "w-2")
        await opened.service.leave(BATCH, "w-2")
        assert await opened.there() == []


@pytest.mark.requirement("R-WE5")
async def test_a_window_that_gets_another_name_counts_once_and_the_room_is_bounded(home: Home) -> None:
    async with desk(home) as opened:
        await opened.service.attend(BATCH, "w-1", "Ana")
        await opened.service.attend(BATCH, "w-1", "Anna")
        assert await opened.there() == ["Anna"]
        await opened.service.attend(BATCH, "w-2", "Ben")
        with pytest.raises(DomainError) as refused:
            await opened.service.attend(BATCH, "w-3", "Cid")
        assert refused.value.reason is Reason.REVIEW_FULL


@pytest.mark.requirement("R-WE5")
async def test_pages_go_from_the_last_changed_to_the_first_and_may_be_undecided_only(home: Home) -> None:
    async with desk(home) as opened:
        for number in range(5):
            opened.clock.move(seconds=1)
            name = Name("default", f"batches/bat_{number}")
            await opened.service.note(name, "n", "Ana", "seen")
        await opened.service.decide(Name("default", "batches/bat_4"), "Ana", Verdict.APPROVED, expected=1)
        await opened.service.note(Name("other", "batches/bat_9"), "n", "Eve", "of another tenant")
        token = ""
        seen: list[str] = []
        while not seen or token:
            page = await opened.service.page("default", page_size=2, page_token=token, undecided=False)
            seen += [review.subject for review in page.reviews]
            token = page.next_page_token
        assert seen == [f"batches/bat_{number}" for number in (4, 3, 2, 1, 0)]
        page = await opened.service.page("default", page_size=2, page_token="", undecided=True)
        assert [review.subject for review in page.reviews] == ["batches/bat_3", "batches/bat_2"]


@pytest.mark.requirement("R-WE5")
@pytest.mark.parametrize("token", ["?", "bm90aW5n", "MjAyNi0xMS0yMVQxMjowMDowMCBiYXRjaGVzL2I="])
async def test_a_page_token_of_nobody_is_refused(tmp_path: Path, token: str) -> None:
    async with desk(Home(tmp_path)) as opened:
        with pytest.raises(DomainError) as refused:
            await opened.service.page("default", page_size=2, page_token=token, undecided=False)
        assert refused.value.reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.requirement("R-WE5", "R-ST4")
async def test_old_reviews_are_deleted_with_all_that_is_kept_of_them(home: Home) -> None:
    async with desk(home) as opened:
        young = Name("default", "sessions/ses_2")
        await opened.service.note(BATCH, "n-1", "Ana", "seen")
        opened.clock.move(days=91)
        await opened.service.note(young, "n-1", "Ana", "seen")
        await opened.sweeper.sweep()
        old = await opened.service.whole(BATCH)
        assert (old.review.revision, old.notes, old.cursor) == (0, (), "")
        assert (await opened.service.whole(young)).review.revision == 1
        with pytest.raises(DomainError) as refused:
            await opened.service.delete(BATCH)
        assert refused.value.reason is Reason.REVIEW_NOT_FOUND
