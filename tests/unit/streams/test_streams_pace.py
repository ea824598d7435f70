"""Waking at once where there is time, together where there is not."""

from __future__ import annotations

import asyncio

import pytest

from eventually import eventually
from vidence_server.streams.pace import Pace


class Woken:
    """Counts wakings, each of which keeps the loop busy for a while."""

    def __init__(self, busy_s: float) -> None:
        self.count = 0
        self._busy_s = busy_s

    def __call__(self) -> None:
        self.count += 1
        asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        until_s = asyncio.get_running_loop().time() + self._busy_s
        while asyncio.get_running_loop().time() < until_s:
            pass


async def test_with_time_between_them_every_request_wakes_at_once() -> None:
    woken = Woken(0.0)
    pace = Pace(woken)
    for expected in (1, 2, 3):
        pace.request()
        assert woken.count == expected
        await asyncio.sleep(0.01)


@pytest.mark.requirement("R-ST10")
async def test_requests_that_follow_a_long_waking_at_once_are_answered_together() -> None:
    woken = Woken(0.05)
    pace = Pace(woken)
    pace.request()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(10):
        pace.request()
        await asyncio.sleep(0)
    assert woken.count == 1
    await eventually(lambda: woken.count == 2)


async def test_a_closed_pace_wakes_nobody() -> None:
    woken = Woken(0.05)
    pace = Pace(woken)
    pace.request()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    pace.request()
    pace.close()
    await asyncio.sleep(0.05)
    assert woken.count == 1
