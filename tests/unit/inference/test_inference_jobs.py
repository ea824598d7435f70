"""The order in which jobs wait."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vidence_server.inference.jobs import FunctionCall, Job, JobQueue, ModelStep, Priority


def waiting_job(priority: Priority) -> Job:
    # A queue never touches the future.
    future = cast(asyncio.Future[Any], None)
    return Job(step="s", work=FunctionCall(lambda: None), priority=priority, deadline=None, future=future)


class QueueAgainstSortedList(RuleBasedStateMachine):
    """A queue behaves like a list that is sorted by priority, stably."""

    limit = 8

    def __init__(self) -> None:
        super().__init__()
        self.queue = JobQueue(self.limit)
        self.model: list[Job] = []

    @rule(priority=st.sampled_from(Priority))
    def put(self, priority: Priority) -> None:
        job = waiting_job(priority)
        accepted = self.queue.put(job)
        assert accepted == (len(self.model) < self.limit)
        if accepted:
            self.model.append(job)
            self.model.sort(key=lambda item: item.priority)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove_anywhere(self, data: st.DataObject) -> None:
        job = self.model.pop(data.draw(st.integers(0, len(self.model) - 1)))
        self.queue.remove(job)

    @precondition(lambda self: self.model)
    @rule()
    def take_the_head(self) -> None:
        head = self.queue.head
        assert head is self.model.pop(0)
        self.queue.remove(head)

    @invariant()
    def same_order(self) -> None:
        assert list(self.queue) == self.model
        assert len(self.queue) == len(self.model)
        assert self.queue.full == (len(self.model) >= self.limit)


TestQueueOrder = pytest.mark.requirement("R-OP7")(QueueAgainstSortedList.TestCase)


def test_a_job_that_does_not_wait_cannot_be_removed() -> None:
    with pytest.raises(KeyError):
        JobQueue(1).remove(waiting_job(Priority.BULK))


@pytest.mark.parametrize(
    ("shapes", "rows"),
    [
        ({"a": (3, 2)}, 3),
        ({"a": (3, 2), "b": (3,)}, 3),
        ({"a": (3, 2), "b": (4, 2)}, 0),
        ({"a": (3, 2), "b": ()}, 0),
        ({}, 0),
    ],
)
def test_rows_are_the_common_length_of_axis_0(shapes: dict[str, tuple[int, ...]], rows: int) -> None:
    assert ModelStep({name: np.zeros(shape) for name, shape in shapes.items()}).rows == rows
