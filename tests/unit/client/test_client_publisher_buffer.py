"""The books of a publisher: what waits, what was answered, what was dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client.publishing.batch import Complete
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.encoding import MAX_EVENT_BYTES, naming, request_of

EVENT = event_pb2.Event(type="till.opened").SerializeToString()


def make_buffer(
    *, events: int = 10_000, size: int = 1 << 26, drop_oldest: bool = False, durability: int = 0
) -> Buffer:
    return Buffer(
        limit_events=events,
        limit_bytes=size,
        drop_oldest=drop_oldest,
        name=naming("till/7", "abc"),
        durability=durability,
    )


def ids(request: bytes) -> list[str]:
    return [event.id for event in event_service_pb2.PublishStreamRequest.FromString(request).events]


def typed(name: str) -> bytes:
    return event_pb2.Event(type=name).SerializeToString()


def types(request: bytes) -> list[str]:
    return [event.type for event in event_service_pb2.PublishStreamRequest.FromString(request).events]


@pytest.mark.requirement("R-ST9")
def test_what_waits_is_joined_into_one_request_with_source_and_id() -> None:
    buffer = make_buffer(durability=event_pb2.DURABILITY_SYNCED)
    buffer.inbox.extend([EVENT, EVENT])
    own = event_pb2.Event(type="till.closed", source="elsewhere", id="mine")
    buffer.inbox.append(Complete(own.SerializeToString()))
    batch = buffer.take()
    assert batch is not None
    request = event_service_pb2.PublishStreamRequest.FromString(batch.request)
    assert request.durability == event_pb2.DURABILITY_SYNCED
    assert [(event.source, event.id, event.type) for event in request.events] == [
        ("till/7", "abc-1", "till.opened"),
        ("till/7", "abc-2", "till.opened"),
        ("elsewhere", "mine", "till.closed"),
    ]
    assert buffer.take() is None


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, MAX_EVENT_BYTES])
def test_joined_events_are_what_the_message_encodes(size: int) -> None:
    event = event_pb2.Event(type="a", subject="s" * max(0, size - 8)).SerializeToString()
    request = event_service_pb2.PublishStreamRequest(
        events=[event_pb2.Event.FromString(event)] * 2, durability=event_pb2.DURABILITY_MEMORY
    )
    assert request_of([event, event], event_pb2.DURABILITY_MEMORY) == request.SerializeToString()


def test_a_request_keeps_to_the_limits_of_the_contract() -> None:
    buffer = make_buffer()
    buffer.inbox.extend([EVENT] * 2_500)
    counts = []
    while (batch := buffer.take()) is not None:
        counts.append(batch.count)
    assert counts == [1_000, 1_000, 500]
    large = event_pb2.Event(type="a", subject="s" * 60_000).SerializeToString()
    buffer.inbox.extend([large] * 20)
    while (batch := buffer.take()) is not None:
        assert 1 <= len(batch.request) <= 1024 * 1024
        assert batch.count <= 9


def test_what_had_no_answer_is_sent_again_first_and_in_order() -> None:
    buffer = make_buffer()
    for name in ("one", "two", "three"):
        buffer.inbox.append(typed(name))
        buffer.take()
    buffer.settle()
    buffer.inbox.append(typed("four"))
    buffer.connection_lost()
    again = [buffer.take() for _ in range(3)]
    assert [types(batch.request) for batch in again if batch] == [["two"], ["three"], ["four"]]
    assert ids(again[0].request if again[0] else b"") == ["abc-2"]
    assert buffer.statistics().acknowledged == 1


def test_events_that_were_postponed_are_sent_again_with_the_same_ids() -> None:
    buffer = make_buffer()
    buffer.inbox.extend([EVENT] * 3)
    buffer.take()
    buffer.settle(repeated=1, errors=1, again=[1])
    batch = buffer.take()
    assert batch is not None
    assert ids(batch.request) == ["abc-2"]
    numbers = buffer.statistics()
    assert (numbers.acknowledged, numbers.repeated, numbers.errors, numbers.waiting) == (1, 1, 1, 1)


def test_events_that_were_postponed_go_before_those_that_follow_them() -> None:
    buffer = make_buffer()
    for names in (("one", "two"), ("three", "four"), ("five",)):
        buffer.inbox.extend(map(typed, names))
        buffer.take()
    buffer.settle(again=[1])
    buffer.settle(again=[0, 1])
    buffer.connection_lost()
    taken = []
    while (batch := buffer.take()) is not None:
        taken.append(types(batch.request))
    assert taken == [["two"], ["three", "four"], ["five"]]


def test_a_request_is_divided_in_its_place() -> None:
    buffer = make_buffer()
    buffer.inbox.extend([typed("one"), typed("two")])
    buffer.take()
    buffer.inbox.append(typed("three"))
    buffer.take()
    buffer.divide_oldest()
    buffer.connection_lost()
    taken = []
    while (batch := buffer.take()) is not None:
        taken.append(types(batch.request))
    assert taken == [["one"], ["two"], ["three"]]
    assert buffer.statistics().waiting == 3


def test_a_flush_waits_for_what_was_published_before_it_and_for_nothing_else() -> None:
    buffer = make_buffer()
    buffer.inbox.extend([EVENT] * 2)
    done = buffer.wait_for_answers()
    buffer.take()
    buffer.inbox.append(EVENT)
    buffer.take()
    assert not done.done()
    buffer.settle()
    assert done.done()
    assert buffer.statistics().waiting == 1


def test_a_flush_waits_for_an_event_that_was_postponed() -> None:
    buffer = make_buffer()
    buffer.inbox.append(EVENT)
    buffer.take()
    done = buffer.wait_for_answers()
    buffer.inbox.append(EVENT)
    buffer.take()
    buffer.settle(again=[0])
    buffer.settle()
    assert not done.done()
    buffer.take()
    buffer.settle()
    assert done.done()


def test_closing_drops_what_waits_and_says_so() -> None:
    buffer = make_buffer()
    buffer.inbox.extend([EVENT] * 3)
    buffer.take()
    buffer.inbox.append(EVENT)
    flushed, room = buffer.wait_for_answers(), buffer.wait_for_room()
    buffer.close()
    assert flushed.done()
    assert room.done()
    assert not buffer.offer(EVENT)
    buffer.inbox.append(EVENT)  # by a thread that had passed the door
    numbers = buffer.statistics()
    assert (numbers.published, numbers.waiting, numbers.dropped) == (5, 0, {"CLOSED": 5})


def test_the_oldest_unsent_event_gives_way() -> None:
    buffer = make_buffer(events=3, drop_oldest=True)
    for name in ("sent", "one", "two"):
        assert buffer.offer(typed(name))
        if name == "sent":
            buffer.take()
    assert buffer.offer(typed("three"))
    batch = buffer.take()
    assert batch is not None
    assert types(batch.request) == ["two", "three"]
    assert not buffer.offer(EVENT), "what was sent cannot be dropped"
    assert buffer.statistics().dropped == {"OLDEST": 1}


def test_bytes_are_bounded_whatever_the_sizes() -> None:
    limit = 200_000
    buffer = make_buffer(size=limit)
    large = bytes(30_000)
    taken = 0
    while buffer.offer(large):
        taken += 1
        assert buffer.statistics().waiting_bytes <= limit
    assert taken == 6
    assert buffer.offer(EVENT), "a small event still fits"


def test_many_threads_keep_the_books() -> None:
    buffer = make_buffer(events=1 << 20)

    def publish(_: int) -> None:
        for _ in range(2_000):
            if len(buffer.inbox) < buffer.room:
                buffer.inbox.append(EVENT)
            else:
                assert buffer.offer(EVENT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, range(8)))
    assert buffer.statistics().published == 16_000
    seen: list[str] = []
    while (batch := buffer.take()) is not None:
        seen += ids(batch.request)
        buffer.settle()
    assert len(seen) == len(set(seen)) == 16_000
    assert buffer.statistics().acknowledged == 16_000


class Books(RuleBasedStateMachine):
    """published = acknowledged + errors + dropped + waiting, whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = make_buffer()
        self.accepted = 0

    @initialize(limit=some.integers(1, 8), drop_oldest=some.booleans())
    def begin(self, limit: int, drop_oldest: bool) -> None:
        self.buffer = make_buffer(events=limit, drop_oldest=drop_oldest)

    @rule(count=some.integers(1, 5))
    def publish(self, count: int) -> None:
        for _ in range(count):
            if len(self.buffer.inbox) < self.buffer.room:
                self.buffer.inbox.append(EVENT)
            elif not self.buffer.offer(EVENT):
                self.buffer.drop_newest()
            self.accepted += 1

    @rule()
    def take(self) -> None:
        self.buffer.take()

    @rule(data=some.data())
    def answer(self, data: some.DataObject) -> None:
        oldest = self.buffer.oldest()
        if oldest is not None:
            errors = data.draw(some.integers(0, oldest.count))
            again = data.draw(some.integers(0, oldest.count - errors))
            self.buffer.settle(errors=errors, again=range(again))

    @rule()
    def divide(self) -> None:
        if self.buffer.oldest() is not None:
            self.buffer.divide_oldest()

    @rule()
    def lose_connection(self) -> None:
        self.buffer.connection_lost()

    @rule(often=some.integers(0, 9))
    def close(self, often: int) -> None:
        if often == 0:
            self.buffer.close()

    @invariant()
    def books_agree(self) -> None:
        numbers = self.buffer.statistics()
        dropped = sum(numbers.dropped.values())
        assert numbers.published == self.accepted
        assert numbers.published == numbers.acknowledged + numbers.errors + dropped + numbers.waiting
        assert (numbers.waiting_bytes > 0) == (numbers.waiting > 0)


TestBooks = pytest.mark.requirement("R-ST9")(Books.TestCase)
TestBooks.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
