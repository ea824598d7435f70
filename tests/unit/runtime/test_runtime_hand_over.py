from __future__ import annotations

import asyncio

import pytest

from fakes.inference import TurnableClock
from vidence_server.runtime.hand_over import HandOver, Signal


def hand_over(*, capacity: int = 2, period_s: float = 1.0) -> tuple[HandOver[int], TurnableClock]:
    clock = TurnableClock()
    return HandOver(capacity=capacity, period_s=period_s, clock=clock), clock


async def test_messages_are_taken_in_order_and_then_the_end() -> None:
    box, _ = hand_over()
    await box.put(1)
    await box.put(2)
    box.end(None)
    assert [await box.take(), await box.take(), await box.take()] == [1, 2, Signal.END]


async def test_an_error_is_raised_after_what_came_before_it() -> None:
    box, _ = hand_over()
    await box.put(1)
    box.end(ValueError("late"))
    assert await box.take() == 1
    with pytest.raises(ValueError, match="late"):
        await box.take()


async def test_an_interruption_comes_before_everything() -> None:
    box, _ = hand_over()
    await box.put(1)
    box.interrupt(ValueError("now"))
    with pytest.raises(ValueError, match="now"):
        await box.take()


async def test_an_interruption_wakes_a_waiting_writer() -> None:
    box, _ = hand_over()
    taking = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    box.interrupt(ValueError("now"))
    with pytest.raises(ValueError, match="now"):
        await taking
    box.close()


async def test_a_full_queue_holds_the_source_back_until_one_is_taken() -> None:
    box, _ = hand_over(capacity=1)
    await box.put(1)
    putting = asyncio.create_task(box.put(2))
    await asyncio.sleep(0)
    assert not putting.done()
    assert len(box) == 1
    assert await box.take() == 1
    await putting
    assert await box.take() == 2


async def test_a_period_without_a_message_is_quiet() -> None:
    box, clock = hand_over(period_s=0.01)
    taking = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    clock.seconds += 0.01
    assert await taking is Signal.QUIET
    box.close()


async def test_a_timer_that_fires_before_the_period_is_over_by_the_clock_does_not_count() -> None:
    box, clock = hand_over(period_s=0.01)
    taking = asyncio.create_task(box.take())
    done, _ = await asyncio.wait({taking}, timeout=0.05)
    assert not done
    clock.seconds += 0.02
    assert await taking is Signal.QUIET
    box.close()
