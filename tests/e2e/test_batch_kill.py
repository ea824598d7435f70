"""kill -9 of workers and server while a batch is worked at: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from fakes.batch import document, image
from fakes.batch_crew import Crew, Follower, judge
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.batch.v1 import batch_service_pb2_grpc as pb_grpc

Hire = Callable[[int], Crew]


@pytest.fixture
def hire(tmp_path: Path) -> Iterator[Hire]:
    crews: list[Crew] = []

    def make(workers: int) -> Crew:
        crew = Crew(tmp_path, workers)
        crews.append(crew)
        crew.start()
        return crew

    yield make
    for crew in crews:
        crew.stop()


async def submitted(crew: Crew, texts: list[str], library_id: str) -> str:
    async with grpc.aio.insecure_channel(crew.address) as channel:
        stub = pb_grpc.BatchServiceStub(channel)
        batch = (await stub.CreateBatch(pb.CreateBatchRequest(library_id=library_id))).batch
        for index, text in enumerate(texts):
            await stub.AddBatchItem(
                pb.AddBatchItemRequest(batch_id=batch.batch_id, index=index, image=image(text))
            )
        await stub.StartBatch(pb.StartBatchRequest(batch_id=batch.batch_id))
    return batch.batch_id


async def suffered(
    crew: Crew, texts: list[str], blows: list[Callable[[], None]], seed: int, library_id: str = ""
) -> Follower:
    """Works at a batch while blows fall at random moments."""
    batch_id = await submitted(crew, texts, library_id)
    follower = Follower()
    moments = sorted(random.Random(seed).sample(range(2, 2 * len(texts)), len(blows)))
    # How long it takes is the machine's affair: a run that hangs is ended by the test's own limit.
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follower.follow(crew, batch_id))
        for moment, blow in zip(moments, blows, strict=True):
            await follower.reach(moment)
            await asyncio.to_thread(blow)
    judge(follower.events, crew, texts)
    return follower


def restart(crew: Crew) -> Callable[[], None]:
    def blow() -> None:
        crew.kill_server()
        crew.start()

    return blow


def replace_worker(crew: Crew) -> Callable[[], None]:
    def blow() -> None:
        crew.kill_worker()
        crew.hire()

    return blow


@pytest.mark.requirement("R-BA2")
async def test_a_killed_worker_loses_and_repeats_nothing(hire: Hire) -> None:
    crew = hire(2)
    texts = [f"page {n}" for n in range(40)]
    await suffered(crew, texts, [replace_worker(crew), replace_worker(crew)], seed=1)


@pytest.mark.requirement("R-BA2")
async def test_a_killed_server_loses_and_repeats_nothing(hire: Hire) -> None:
    crew = hire(1)
    texts = [f"{'bad' if n % 10 == 3 else 'page'} {n}" for n in range(40)]
    follower = await suffered(crew, texts, [restart(crew), restart(crew)], seed=2)
    assert follower.cuts


@pytest.mark.requirement("R-BA2")
async def test_a_killed_server_with_its_own_workers_loses_and_repeats_nothing(hire: Hire) -> None:
    crew = hire(0)
    texts = [f"page {n}" for n in range(40)]
    await suffered(crew, texts, [restart(crew), restart(crew)], seed=3)


@pytest.mark.requirement("R-LI1")
async def test_a_killed_server_loses_and_repeats_no_document_of_a_library(hire: Hire) -> None:
    crew = hire(0)
    texts = [f"{'bad' if n % 10 == 3 else 'page'} {n}" for n in range(40)]
    follower = await suffered(crew, texts, [restart(crew), restart(crew)], seed=5, library_id="mine")
    filed = [event.filing for event in follower.events if event.HasField("filing")]
    good = [n for n, text in enumerate(texts) if text.startswith("page")]
    assert sorted(filing.index for filing in filed) == good
    assert follower.events[-1].complete.statistics.filed == len(good)
    batch_id = follower.events[-1].batch_id
    kept = {path.name: path.read_bytes() for path in (crew.folder / "library").iterdir()}
    assert kept == {f"{batch_id}-{n}": document(texts[n]).SerializeToString() for n in good}


@pytest.mark.soak
@pytest.mark.requirement("R-BA2")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(6))
async def test_thirty_blows_lose_and_repeat_nothing(hire: Hire, seed: int) -> None:
    crew = hire(2)
    texts = [f"page {n}" for n in range(200)]
    blows = [random.Random(seed).choice((restart, replace_worker))(crew) for _ in range(5)]
    await suffered(crew, texts, blows, seed=seed)
