"""What is too old is forgotten: changes after their time, what the bus refused, snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.libraries import TENANT, made, open_library
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.journal import log_name
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.sweeping import Sweeper
from vidence_server.storage.outbox import Outbox
from vidence_server.streams.requests import Earliest, SubscriptionRequest


class MovedClock(SystemClock):
    """The machine's clock, moved."""

    by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.mark.requirement("R-LI4")
async def test_changes_expire_and_an_old_revision_is_an_explicit_error(tmp_path: Path) -> None:
    clock = MovedClock()
    async with open_library(tmp_path, clock=clock) as opened:
        service = opened.service
        for number in range(3):
            await made(opened, f"lib{number}")
        await made(opened)
        await service.documents.keep(TENANT, "books", draft("a", "red", {}), KeepPolicy())
        database = service.libraries._database
        sweeper = Sweeper(
            database,
            service.logs,
            Outbox(database),
            service.exporting,
            clock,
            retention=timedelta(days=30),
            tenants=(TENANT,),
        )
        await sweeper.sweep()
        source = service.logs.of(log_name(TENANT, "books"))
        after = await service.journal.place_after(TENANT, "books", 0)
        assert after is not None
        subscription = await source.subscribe(SubscriptionRequest(after, "con_1", 30))
        source.close(subscription)
        clock.by = timedelta(days=31)
        await service.documents.keep(TENANT, "books", draft("b", "red", {}), KeepPolicy())
        await sweeper.sweep()
        with pytest.raises(DomainError) as refused:
            await source.subscribe(SubscriptionRequest(after, "con_2", 30))
        assert refused.value.reason is Reason.CURSOR_EXPIRED
        subscription = await source.subscribe(SubscriptionRequest(Earliest(), "con_3", 30))
        assert subscription.cursor.endswith("2")
        source.close(subscription)
        # The rows themselves stay.
        assert (await service.libraries.get(TENANT, "books")).document_count == 2
