"""Work that comes round again: the first round, the next ones, those that fail, the end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from eventually import eventually
from vidence_server.runtime.rounds import Round, Rounds

pytestmark = pytest.mark.requirement("R-OP3")


class Work:
    """Counts its rounds, and fails in some of them."""

    def __init__(self, *, failing: int = 0) -> None:
        self.rounds = 0
        self._failing = failing

    async def __call__(self) -> None:
        self.rounds += 1
        if self.rounds <= self._failing:
            raise OSError("no room")


async def test_a_round_that_fails_is_logged_and_the_next_one_tries_again() -> None:
    work = Work(failing=2)
    with capture_logs() as logged:
        async with Rounds(Round(work, 0.001, "retention", "old things stay")):
            await eventually(lambda: work.rounds > 3)
    assert [entry["event"] for entry in logged] == ["old things stay"] * 2
    assert isinstance(logged[0]["exc_info"], OSError)


async def test_the_first_round_comes_a_period_later_or_at_once() -> None:
    later, now = Work(), Work()
    rounds = (
        Round(later, 3600, "later", "later fails"),
        Round(now, 3600, "now", "now fails", at_once=True),
    )
    async with Rounds(*rounds):
        await eventually(lambda: now.rounds == 1)
    assert (now.rounds, later.rounds) == (1, 0)


async def test_the_end_of_the_context_ends_a_round_in_the_middle() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Rounds(Round(work, 3600, "long work", "long work fails", at_once=True)):
        await begun.wait()
    assert ended.is_set()


async def test_nothing_to_do_needs_no_task() -> None:
    async with Rounds():
        pass
