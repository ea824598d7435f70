"""When a call is tried again, and after how long."""

from __future__ import annotations

import random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fakes import extraction_servicer as fake
from vidence_client import RetryPolicy, ServerUnreachable, VidenceError
from vidence_client.channel import Channel
from vidence_client.extraction import ExtractionClient

BUSY = fake.status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", retry_after_s=2)
NOT_READY = fake.status(grpc.StatusCode.UNAVAILABLE, "NOT_READY", "loading")
FULL_FOR_GOOD = fake.status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")


class Pauses:
    """Records the pauses instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@given(attempt=some.integers(1, 3), jitter=some.floats(0, 1, exclude_max=True))
def test_unavailable_is_retried_within_a_doubling_bound(attempt: int, jitter: float) -> None:
    delay_s = RetryPolicy(base_delay_s=0.1).delay_s(ServerUnreachable("gone"), attempt=attempt, jitter=jitter)
    assert delay_s is not None
    assert 0 <= delay_s <= 0.1 * 2 ** (attempt - 1)


@given(jitter=some.floats(0, 1, exclude_max=True))
def test_a_delay_that_the_server_names_is_kept(jitter: float) -> None:
    delay_s = RetryPolicy().delay_s(VidenceError.from_status(BUSY), attempt=1, jitter=jitter)
    assert delay_s is not None
    assert delay_s >= 2


def test_the_pause_has_an_upper_bound() -> None:
    policy = RetryPolicy(attempts=100, maximum_delay_s=10)
    assert policy.delay_s(ServerUnreachable("gone"), attempt=90, jitter=0.5) == 5
    late = VidenceError.from_status(fake.status(grpc.StatusCode.ABORTED, "X", "x", retry_after_s=11))
    assert policy.delay_s(late, attempt=1, jitter=0) is None


@pytest.mark.parametrize(
    "error",
    [VidenceError.from_status(fake.CORRUPT), VidenceError.from_status(FULL_FOR_GOOD)],
    ids=["bad input", "full without an invitation"],
)
def test_what_the_server_does_not_invite_to_retry_is_final(error: VidenceError) -> None:
    assert RetryPolicy().delay_s(error, attempt=1, jitter=0.5) is None


def test_attempts_are_counted() -> None:
    policy = RetryPolicy(attempts=3)
    delays = [policy.delay_s(ServerUnreachable("gone"), attempt=number, jitter=0.5) for number in (1, 2, 3)]
    assert [delay is None for delay in delays] == [False, False, True]


def test_unavailable_alone_does_not_open_a_stream_again() -> None:
    assert RetryPolicy().delay_s(ServerUnreachable("gone"), attempt=1, jitter=0.5, stream=True) is None


async def test_a_unary_call_outlives_failures_that_pass() -> None:
    servicer = fake.ScriptedExtraction(unary_failures=[NOT_READY, BUSY])
    pauses = Pauses()
    async with fake.serving(servicer) as address:
        channel = Channel(address, randomness=random.Random(7), sleep=pauses)
        answer = await ExtractionClient(channel).read(b"picture")
        await channel.close()
    assert answer.document.fields[0].key == "document.number"
    assert len(servicer.requests) == 3
    assert len(pauses.seconds) == 2
    assert pauses.seconds[1] >= 2


async def test_a_call_gives_up_where_the_pause_would_outlast_its_timeout() -> None:
    servicer = fake.ScriptedExtraction(unary_failures=[BUSY])
    pauses = Pauses()
    async with fake.serving(servicer) as address:
        channel = Channel(address, sleep=pauses)
        with pytest.raises(VidenceError, match="QUEUE_FULL"):
            await ExtractionClient(channel).read(b"picture", timeout=1.5)
        await channel.close()
    assert pauses.seconds == []


async def test_a_refused_stream_opens_again_where_the_server_says_when() -> None:
    limit = fake.status(grpc.StatusCode.RESOURCE_EXHAUSTED, "STREAM_LIMIT", "too many", retry_after_s=2)
    servicer = fake.ScriptedExtraction(opening_failures=[limit])
    pauses = Pauses()
    async with fake.serving(servicer) as address:
        channel = Channel(address, sleep=pauses)
        messages = [message async for message in ExtractionClient(channel).extract(b"picture")]
        await channel.close()
    assert messages == fake.PASSPORT
    assert len(pauses.seconds) == 1
    assert pauses.seconds[0] >= 2
