"""A publisher against a bus that misbehaves."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from fakes.event_servicer import DRAINING, Bus, Served, serving, serving_in_thread
from fakes.extraction_servicer import duration, status
from vidence.event.v1 import event_pb2
from vidence.event.v1 import event_service_pb2 as pb
from vidence.extraction.v1 import extraction_service_pb2
from vidence.stream.v1.stream_control_pb2 import Connected, Heartbeat
from vidence_client import (
    ClientReason,
    OnFull,
    Publisher,
    RetryPolicy,
    VidenceError,
    make_event,
)
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.encoding import naming
from vidence_client.publishing.sender import Sender

QUICK = RetryPolicy(base_delay_s=0.01, maximum_delay_s=0.05)
PATIENCE_S = 20.0
FULL = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", "full", retry_after_s=0.01)

pytestmark = pytest.mark.requirement("R-ST9", "R-EV1")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving_in_thread(Bus()) as served:
        yield served


def make(address: str, **options: Any) -> Publisher:
    return Publisher(address, source="till/7", **{"retry": QUICK, **options})


def check_books(publisher: Publisher) -> None:
    numbers = publisher.statistics()
    dropped = sum(numbers.dropped.values())
    assert numbers.published == numbers.acknowledged + numbers.errors + dropped + numbers.waiting


def subjects(served: Served) -> list[str]:
    return [event.subject for event in served.bus.log]


def test_what_is_published_arrives_in_order_with_all_its_fields(served: Served) -> None:
    progress = extraction_service_pb2.ExtractionProgress(done=1, total=2)
    with make(served.address, durability=event_pb2.DURABILITY_SYNCED) as publisher:
        assert publisher.publish(
            "till.opened", subject="a", severity=event_pb2.SEVERITY_WARNING, attributes={"floor": "2"}
        )
        publisher.publish("till.counted", data=progress)
        publisher.publish("till.closed", content=b"{}", content_type="application/json", id="last")
        publisher.publish_event(make_event("till.audited", source="audit/1", id="7"))
        publisher.publish_event(make_event("till.moved", source="audit/2"))
        publisher.publish_encoded(make_event("till.sold", source="ignored").SerializeToString())
        assert publisher.flush(PATIENCE_S)
    first, second, third, fourth, fifth, sixth = served.bus.log
    assert (first.type, first.subject, first.source) == ("till.opened", "a", "till/7")
    assert (first.severity, first.attributes["floor"]) == (event_pb2.SEVERITY_WARNING, "2")
    assert second.data.Is(extraction_service_pb2.ExtractionProgress.DESCRIPTOR)
    assert (third.opaque.content, third.id, third.source) == (b"{}", "last", "till/7")
    assert (fourth.source, fourth.id) == ("audit/1", "7")
    assert (fifth.source, sixth.source) == ("audit/2", "till/7")
    assert len({event.id for event in served.bus.log}) == 6
    assert served.bus.publish_requests[0].durability == event_pb2.DURABILITY_SYNCED
    check_books(publisher)
    assert publisher.statistics().acknowledged == 6


def test_a_burst_travels_in_large_requests(served: Served) -> None:
    served.bus.faults.acks.clear()
    with make(served.address) as publisher:
        for number in range(5_000):
            publisher.publish("till.sold", subject=str(number))
        served.run(set_event(served.bus.faults.acks))
        assert publisher.flush(PATIENCE_S)
    assert subjects(served) == [str(number) for number in range(5_000)]
    assert len(served.bus.publish_requests) < 200
    assert max(len(request.events) for request in served.bus.publish_requests) <= 1_000


def test_events_of_eight_threads_each_keep_their_order(served: Served) -> None:
    with make(served.address) as publisher, ThreadPoolExecutor(8) as pool:

        def sell(till: int) -> None:
            for number in range(250):
                publisher.publish("till.sold", subject=f"{till}/{number}")

        list(pool.map(sell, range(8)))
        assert publisher.flush(PATIENCE_S)
    for till in range(8):
        mine = [subject for subject in subjects(served) if subject.startswith(f"{till}/")]
        assert mine == [f"{till}/{number}" for number in range(250)]


async def test_it_works_in_a_running_loop_and_does_not_hold_it_up() -> None:
    bus = Bus()
    async with serving(bus) as address:
        async with make(address) as publisher:
            assert publisher.publish("till.opened")
            assert await publisher.publish_async(make_event("till.sold"))
            assert await publisher.flush_async(PATIENCE_S)
            with pytest.raises(RuntimeError, match="flush_async"):
                publisher.flush()
            with pytest.raises(RuntimeError, match="aclose"):
                publisher.close()
            with pytest.raises(RuntimeError, match="async with"), publisher:
                pass
        assert [event.type for event in bus.log] == ["till.opened", "till.sold"]


def test_it_works_before_a_loop_runs_and_after_it_closed(served: Served) -> None:
    publisher = make(served.address)
    publisher.publish("till.opened", subject="before")

    async def inside() -> None:
        publisher.publish("till.sold", subject="inside")

    asyncio.run(inside())
    publisher.publish("till.closed", subject="after")
    assert publisher.close(PATIENCE_S)
    assert subjects(served) == ["before", "inside", "after"]


@pytest.mark.parametrize("fault", ["publish_cuts", "publish_silences"])
def test_what_had_no_answer_is_sent_again_and_stored_once(served: Served, fault: str) -> None:
    served.bus.heartbeat_period_s = 0.05
    getattr(served.bus.faults, fault).extend([1, 2, 1])
    with make(served.address) as publisher:
        for number in range(40):
            publisher.publish("till.sold", subject=str(number))
            if number % 10 == 9:
                assert publisher.flush(PATIENCE_S)
    assert subjects(served) == [str(number) for number in range(40)]
    numbers = publisher.statistics()
    assert numbers.acknowledged == 40
    assert numbers.reconnects == 3
    assert numbers.repeated >= 1
    assert numbers.sent >= numbers.acknowledged + numbers.repeated


def test_it_waits_for_a_server_that_is_not_there_yet(served: Served) -> None:
    served.bus.faults.openings.extend([DRAINING] * 3)
    with make(served.address) as publisher:
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
        assert publisher.statistics().reconnects == 3
        assert publisher.last_failure is not None
        assert publisher.last_failure.reason == "DRAINING"


def test_a_refused_event_is_reported_and_the_others_go_on(served: Served) -> None:
    heard: list[tuple[str, str]] = []
    served.bus.faults.refused_types = "bad.*"
    with make(
        served.address, on_error=lambda event, error: heard.append((event.subject, error.reason))
    ) as tills:
        for number, kind in enumerate(["till.opened", "bad.one", "till.sold", "bad.two"]):
            tills.publish(kind, subject=str(number))
        assert tills.flush(PATIENCE_S)
    assert heard == [("1", "REQUEST_INVALID"), ("3", "REQUEST_INVALID")]
    assert subjects(served) == ["0", "2"]
    assert tills.statistics().errors == 2
    check_books(tills)


def test_an_event_for_which_the_whole_stream_is_refused_is_found(served: Served) -> None:
    heard: list[str] = []
    served.bus.faults.poisonous_types = "poison.*"
    served.bus.faults.acks.clear()
    with make(served.address, on_error=lambda event, error: heard.append(event.subject)) as publisher:
        publisher.publish("till.opened", subject="0")
        for number in range(1, 7):
            publisher.publish("poison.found" if number == 4 else "till.sold", subject=str(number))
        served.run(set_event(served.bus.faults.acks))
        assert publisher.flush(PATIENCE_S)
    assert heard == ["4"]
    assert subjects(served) == ["0", "1", "2", "3", "5", "6"]
    assert publisher.statistics().errors == 1
    check_books(publisher)


def test_an_event_that_was_refused_for_now_is_sent_again(served: Served) -> None:
    served.bus.faults.postponed.extend([FULL] * 2)
    with make(served.address) as publisher:
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
    assert [event.type for event in served.bus.log] == ["till.opened"]
    assert publisher.statistics().errors == 0


def test_a_listener_that_fails_stops_nothing(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.bus.faults.refused_types = "bad.*"

    def fail(event: event_pb2.Event, error: VidenceError) -> None:
        raise RuntimeError("the caller's defect")

    with make(served.address, on_error=fail) as publisher:
        publisher.publish("bad.one")
        publisher.publish("till.opened")
        assert publisher.flush(PATIENCE_S)
    assert len(served.bus.log) == 1
    assert "on_error of a publisher failed" in caplog.text


def test_without_a_server_a_flush_ends_in_time_and_closing_drops() -> None:
    publisher = make("127.0.0.1:1")
    publisher.publish("till.opened")
    assert not publisher.flush(0.05)
    assert not publisher.close(0.0)
    assert publisher.statistics().dropped == {"CLOSED": 1}
    assert publisher.close(), "closing again does no harm"
    with pytest.raises(RuntimeError, match="closed"):
        publisher.publish("till.sold")
    check_books(publisher)


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        (OnFull.DROP_OLDEST, ["2", "3", "4"], {"OLDEST": 2}),
        (OnFull.DROP_NEWEST, ["0", "1", "2"], {"NEWEST": 2}),
    ],
)
def test_a_full_buffer_drops_as_it_was_told(
    served: Served, policy: OnFull, kept: list[str], dropped: dict[str, int]
) -> None:
    served.bus.faults.openings.extend(
        [status(grpc.StatusCode.UNAVAILABLE, "NOT_READY", "", retry_after_s=0.2)]
    )
    with make(served.address, on_full=policy, buffer_events=3) as publisher:
        taken = [publisher.publish("till.sold", subject=str(number)) for number in range(5)]
        assert publisher.flush(PATIENCE_S)
    assert subjects(served) == kept
    assert taken == [True, True, True] + [policy is OnFull.DROP_OLDEST] * 2
    assert publisher.statistics().dropped == dropped
    check_books(publisher)


def test_a_full_buffer_raises_where_it_was_told() -> None:
    publisher = make("127.0.0.1:1", on_full=OnFull.RAISE, buffer_events=1)
    publisher.publish("till.opened")
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        publisher.publish("till.sold")
    assert publisher.statistics().published == 1
    publisher.close(0.0)


def test_a_full_buffer_holds_the_caller_until_there_is_room(served: Served) -> None:
    served.bus.faults.acks.clear()
    with make(served.address, buffer_events=2) as publisher, ThreadPoolExecutor(1) as pool:
        publisher.publish("till.sold")
        publisher.publish("till.sold")
        third = pool.submit(publisher.publish, "till.sold")
        assert not third.done()
        served.run(set_event(served.bus.faults.acks))
        assert third.result(PATIENCE_S)
        assert publisher.flush(PATIENCE_S)
    assert len(served.bus.log) == 3


def test_blocking_ends_after_the_time_that_was_set() -> None:
    publisher = make("127.0.0.1:1", buffer_events=1, block_timeout_s=0.02)
    publisher.publish("till.opened")
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        publisher.publish("till.sold")
    publisher.close(0.0)


async def test_a_full_buffer_never_blocks_a_running_loop() -> None:
    bus = Bus()
    bus.faults.acks.clear()
    async with serving(bus) as address, make(address, buffer_events=1) as publisher:
        publisher.publish("till.opened")
        with pytest.raises(VidenceError, match="publish_async"):
            publisher.publish("till.sold")
        waiting = asyncio.create_task(publisher.publish_async(make_event("till.sold")))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.faults.acks.set()
        assert await waiting
        assert await publisher.flush_async(PATIENCE_S)
    assert len(bus.log) == 2


async def test_waiting_for_room_in_a_loop_ends_after_the_time_that_was_set() -> None:
    publisher = make("127.0.0.1:1", buffer_events=1, block_timeout_s=0.02)
    await publisher.publish_async(make_event("till.opened").SerializeToString())
    with pytest.raises(VidenceError, match="BUFFER_FULL"):
        await publisher.publish_async(make_event("till.sold"))
    assert not await publisher.aclose(0.0)


def test_an_event_that_is_too_large_is_refused_at_once() -> None:
    publisher = make("127.0.0.1:1")
    with pytest.raises(VidenceError, match="EVENT_TOO_LARGE"):
        publisher.publish("till.opened", content=bytes(70_000), content_type="image/png")
    assert publisher.statistics().published == 0
    publisher.close(0.0)


@pytest.mark.parametrize(
    "wrong",
    [{"source": ""}, {"buffer_events": 0}, {"buffer_bytes": 1000}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_cannot_work_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a publisher needs"):
        Publisher("127.0.0.1:1", **{"source": "till/7", **wrong})


def test_an_event_has_one_payload() -> None:
    with pytest.raises(ValueError, match="not both"):
        make_event("a.b", data=event_pb2.Event(), content=b"x", content_type="text/plain")
    with pytest.raises(ValueError, match="content_type"):
        make_event("a.b", content=b"x")


def test_closing_leaves_no_thread_behind(served: Served) -> None:
    before = threading.active_count()
    for _ in range(3):
        with make(served.address) as publisher:
            publisher.publish("till.opened")
    gc.collect()
    assert [thread for thread in threading.enumerate() if thread.name == "vidence-publisher"] == []
    assert threading.active_count() <= before + 1  # gRPC's own
    assert len(served.bus.log) == 3


async def set_event(event: asyncio.Event) -> None:
    event.set()


TOO_MANY = pb.PublishStreamResponse(publish_results=pb.PublishResults(results=[pb.PublishResult()]))


class ScriptedLine:
    """Connections that give the answers of a script and then nothing more."""

    def __init__(self, *scripts: list[pb.PublishStreamResponse]) -> None:
        self._scripts = deque(scripts)
        self.opened = 0

    async def connect(self) -> ScriptedConnection:
        self.opened += 1
        return ScriptedConnection(self._scripts.popleft() if self._scripts else None)

    async def close(self) -> None: ...


class ScriptedConnection:
    def __init__(self, answers: list[pb.PublishStreamResponse] | None) -> None:
        self._answers = answers

    async def send(self, request: bytes) -> None: ...

    async def finish(self) -> None: ...

    async def receive(self) -> bytes | None:
        if self._answers is None:
            await asyncio.Event().wait()
        return self._answers.pop(0).SerializeToString() if self._answers else None

    async def close(self) -> None: ...


class CoalescingConnection(ScriptedConnection):
    """Answers three requests of two events each by two messages that end in the middle of a request."""

    def __init__(self) -> None:
        super().__init__(None)
        self._asked = asyncio.Queue[bytes]()
        self._messages = deque([opened()])

    async def send(self, request: bytes) -> None:
        await self._asked.put(request)

    async def receive(self) -> bytes | None:
        if not self._messages:
            requests = [pb.PublishStreamRequest.FromString(await self._asked.get()) for _ in range(3)]
            results = [pb.PublishResult(id=event.id) for request in requests for event in request.events]
            for part in (results[:3], results[3:]):
                message = pb.PublishStreamResponse(publish_results=pb.PublishResults(results=part))
                self._messages.append(message)
        return self._messages.popleft().SerializeToString()


class CoalescingLine(ScriptedLine):
    async def connect(self) -> ScriptedConnection:
        return CoalescingConnection()


async def test_results_of_several_requests_may_come_together() -> None:
    buffer = make_buffer()
    for _ in range(3):
        buffer.inbox.extend([make_event("till.sold").SerializeToString()] * 2)
        buffer.take()
    buffer.connection_lost()
    sender = Sender(buffer, CoalescingLine(), on_error=None, retry=QUICK, randomness=random.Random(7))
    running = asyncio.create_task(sender.run(lambda: None))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wrap_future(buffer.wait_for_answers())
    running.cancel()
    await asyncio.wait([running])
    numbers = buffer.statistics()
    assert (numbers.acknowledged, numbers.waiting, numbers.reconnects) == (6, 0, 0)


def make_buffer() -> Buffer:
    return Buffer(
        limit_events=10, limit_bytes=1 << 20, drop_oldest=False, name=naming("till/7", "abc"), durability=0
    )


def opened(heartbeat_period_s: float = 30) -> pb.PublishStreamResponse:
    connected = Connected(heartbeat_period=duration(heartbeat_period_s), retry_delay=duration(0))
    return pb.PublishStreamResponse(connected=connected)


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([pb.PublishStreamResponse(heartbeat=Heartbeat())], ClientReason.STREAM_BROKEN),
        (
            [opened(), TOO_MANY],
            ClientReason.STREAM_BROKEN,
        ),
        ([opened(), pb.PublishStreamResponse(heartbeat=Heartbeat())], ""),
        ([], ""),
    ],
    ids=["no connected", "results without a request", "ends without a word", "ends at once"],
)
async def test_a_stream_that_breaks_its_promises_is_replaced(
    script: list[pb.PublishStreamResponse], reason: str
) -> None:
    line = ScriptedLine(script)
    buffer = make_buffer()
    sender = Sender(buffer, line, on_error=None, retry=QUICK, randomness=random.Random(7))
    running = asyncio.create_task(sender.run(lambda: None))
    async with asyncio.timeout(PATIENCE_S):
        while line.opened < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    assert sender.last_failure is not None
    assert sender.last_failure.reason == reason
    assert buffer.statistics().reconnects == 1
