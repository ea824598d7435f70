"""Subscribers write in rounds, a few in each pass of the loop; who is held up holds up nobody."""

from __future__ import annotations

import asyncio

import pytest

from eventually import eventually
from vidence_server.streams.turns import Turns


class InLine:
    """Notes the rounds in which its turn comes."""

    def __init__(self, *, gone: bool = False) -> None:
        self.rounds: list[int] = []
        self._gone = gone

    def proceed(self, number: int) -> bool:
        self.rounds.append(number)
        return not self._gone


def lined_up(turns: Turns, count: int) -> list[InLine]:
    line = [InLine() for _ in range(count)]
    for one in line:
        turns.line_up(one)
    turns.serve()
    return line


async def test_alone_one_takes_turn_after_turn() -> None:
    turns = Turns()
    numbers = []
    for _ in range(3):
        number = turns.take()
        assert turns.take() == 0
        turns.give_back(number)
        numbers.append(number)
    assert numbers == [1, 2, 3]


@pytest.mark.requirement("R-ST10")
async def test_a_round_gives_everybody_a_turn_so_many_a_pass() -> None:
    turns = Turns(per_pass=2)
    line = lined_up(turns, 5)
    served = [sum(len(one.rounds) for one in line)]
    while len(turns):
        await asyncio.sleep(0)
        served.append(sum(len(one.rounds) for one in line))
    assert served == [2, 4, 5]
    assert {tuple(one.rounds) for one in line} == {(1,)}


async def test_who_lines_up_in_a_round_writes_in_the_next() -> None:
    turns = Turns()
    line = lined_up(turns, 3)
    late = InLine()
    turns.line_up(late)
    turns.serve()
    assert late.rounds == []
    for _ in line:
        turns.give_back(1)
    await eventually(lambda: late.rounds == [2])


@pytest.mark.requirement("R-ST6")
@pytest.mark.parametrize("held_up", [1, 9, 10])
async def test_who_does_not_come_back_holds_nobody_up(held_up: int) -> None:
    turns = Turns()
    lined_up(turns, 10)
    for _ in range(10 - held_up):
        turns.give_back(1)
    late = InLine()
    turns.line_up(late)
    turns.serve()
    await eventually(lambda: late.rounds == [2])
    turns.give_back(1)  # of a round long over: it must not count for the running one
    assert turns.take() == 0


@pytest.mark.requirement("R-ST6")
async def test_one_that_took_a_turn_and_is_held_up_holds_nobody_up() -> None:
    turns = Turns()
    assert turns.take() == 1
    late = InLine()
    turns.line_up(late)
    await eventually(lambda: late.rounds == [2])


async def test_who_has_left_takes_no_turn_from_others() -> None:
    turns = Turns(per_pass=1)
    gone, here = InLine(gone=True), InLine()
    turns.line_up(gone)
    turns.line_up(here)
    turns.serve()
    assert here.rounds == [1]
    turns.give_back(1)
    assert turns.take() == 2


async def test_a_round_of_those_who_left_is_over_at_once() -> None:
    turns = Turns()
    turns.line_up(InLine(gone=True))
    turns.serve()
    assert turns.take() == 2


@pytest.mark.requirement("R-ST10")
async def test_after_a_long_round_publishers_have_their_time_before_the_next() -> None:
    turns = Turns()
    loop = asyncio.get_running_loop()
    lined_up(turns, 1000)
    await eventually(lambda: not len(turns))
    next_line = lined_up(turns, 3)
    until_s = loop.time() + 0.04
    while loop.time() < until_s:
        pass  # a thousand writes
    for _ in range(1000):
        turns.give_back(1)
    assert [one.rounds for one in next_line] == [[], [], []]
    await eventually(lambda: [one.rounds for one in next_line] == [[2], [2], [2]])


async def test_a_line_that_is_closed_gives_no_turns() -> None:
    turns = Turns()
    lined_up(turns, 1)
    late = InLine()
    turns.line_up(late)
    turns.close()
    turns.give_back(1)
    await asyncio.sleep(0.01)
    assert late.rounds == []
