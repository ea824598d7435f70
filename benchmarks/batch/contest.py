"""The measurements, in rounds: what is compared is measured by turns, each first as often as the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.batch.servers import Crew, Service
from benchmarks.ocr.pages import page

AT_ONCE = 2
"""Items that the service reads at once: as many as its engine runs steps on this machine, at least."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int = 5
    pairs: int = 15
    """Rounds of what is compared within a twentieth, where one reading differs from the next by a tenth."""
    items: int = 6
    """Of a batch beside the direct call."""
    shared_items: int = 12
    """Of a batch that workers share."""
    extractions: int = 3
    """Single readings of a round, with a batch and without."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured in one round, s."""

    direct_s: float = 0.0
    """All pages with the pipeline called directly."""
    batch_s: float = 0.0
    """The same pages as a batch, until the last message."""
    first_result_s: float = 0.0
    single_s: float = 0.0
    """A page alone over gRPC."""


@dataclass(frozen=True, slots=True)
class LiveRound:
    """Single readings of one round, medians, s."""

    alone_s: float
    """Nothing else running."""
    beside_s: float
    """While a batch is read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds."""

    rounds: list[Round] = field(default_factory=list)
    live: list[LiveRound] = field(default_factory=list)
    one_worker_s: list[float] = field(default_factory=list)
    two_workers_s: list[float] = field(default_factory=list)
    steps_s: Mapping[str, float] = field(default_factory=dict)
    """Mean run of each model."""


def render_pages(folder: Path, count: int) -> list[Path]:
    """Letters, so that all take about the same time."""
    paths = []
    for number in range(count):
        path = folder / f"page-{number:02d}.jpg"
        path.write_bytes(page(3 * number).content)
        paths.append(path)
    return paths


async def measure_service(service: Service, pages: Sequence[Path], plan: Plan) -> list[Round]:
    """Batches beside the direct call and a single reading, each begun when the engine has nothing to do."""
    chosen = pages[: plan.items]
    await service.read(chosen[:1], 1)
    await _single(service, chosen[0])
    rounds = []
    for number in range(plan.pairs):
        direct_first = number % 2 == 0
        direct_s = await _direct(service, chosen) if direct_first else 0.0
        await service.idle()
        first_result_s, batch_s = await _batch(service, chosen)
        direct_s = direct_s or await _direct(service, chosen)
        [single_s] = await _singles(service, chosen[0], 1)
        rounds.append(Round(direct_s, batch_s, first_result_s, single_s))
        print(f"service: round {number + 1} of {plan.pairs}", flush=True)
    return rounds


async def measure_live(service: Service, pages: Sequence[Path], plan: Plan) -> list[LiveRound]:
    """Single readings beside a batch and without one."""
    rounds = []
    for number in range(plan.rounds):
        alone_first = number % 2 == 0
        alone_s = median(await _singles(service, pages[0], plan.extractions)) if alone_first else 0.0
        beside_s = await _beside_a_batch(service, pages, plan.extractions)
        alone_s = alone_s or median(await _singles(service, pages[0], plan.extractions))
        rounds.append(LiveRound(alone_s, beside_s))
        print(f"live: round {number + 1} of {plan.rounds}", flush=True)
    return rounds


async def measure_crew(crew: Crew, pages: Sequence[Path], plan: Plan) -> tuple[list[float], list[float]]:
    """Seconds of the same batch with one worker process and with two, per round."""
    chosen = pages[: plan.shared_items]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    await crew.let_work(2)
    await _shared(crew, pages[: AT_ONCE * 2])
    for number in range(plan.rounds):
        for count in (1, 2) if number % 2 == 0 else (2, 1):
            await crew.let_work(count)
            seconds[count].append(await _shared(crew, chosen))
        print(f"workers: round {number + 1} of {plan.rounds}", flush=True)
    return seconds[1], seconds[2]


async def _single(service: Service, path: Path) -> float:
    start = time.perf_counter()
    async with service.client.extraction.extract(path, document_type="text") as stream:
        async for _ in stream:
            pass
    return time.perf_counter() - start


async def _batch(service: Service, paths: Sequence[Path]) -> tuple[float, float]:
    """Seconds until the first result and until the end."""
    first_s = 0.0
    start = time.perf_counter()
    async with service.client.batches.process(paths, document_type="text") as stream:
        async for message in stream:
            kind = message.WhichOneof("payload")
            if kind == "error":
                raise RuntimeError(f"a page could not be read: {message.error.error.message}")
            if kind == "result":
                first_s = first_s or time.perf_counter() - start
    return first_s, time.perf_counter() - start


async def _direct(service: Service, paths: Sequence[Path]) -> float:
    await service.idle()
    return await service.read(paths, AT_ONCE)


async def _singles(service: Service, path: Path, count: int) -> list[float]:
    await service.idle()
    return [await _single(service, path) for _ in range(count)]


async def _beside_a_batch(service: Service, paths: Sequence[Path], count: int) -> float:
    """The median of single readings while a batch is read that is longer than they are."""
    await service.idle()
    batches = service.client.batches
    batch = await batches.upload(list(paths) * 3, document_type="text")
    try:
        async with batches.watch(batch.batch_id) as events:
            async for event in events:
                if event.HasField("result"):  # both items are with workers, the engine is full
                    break
        seconds = [await _single(service, paths[0]) for _ in range(count)]
        if (await batches.get(batch.batch_id)).end_time.seconds:
            raise RuntimeError("the batch ended before the readings beside it")
    finally:
        await batches.cancel(batch.batch_id)
        await batches.delete(batch.batch_id)
    await service.idle()
    return median(seconds)


async def _shared(crew: Crew, paths: Sequence[Path]) -> float:
    """Seconds from the start of a batch, its images being there, to its end."""
    batches = crew.client.batches
    batch = await batches.upload(paths, document_type="text", start=False)
    start = time.perf_counter()
    await batches.start(batch.batch_id)
    async with batches.watch(batch.batch_id) as events:
        async for event in events:
            if event.HasField("error"):
                raise RuntimeError(f"a page could not be read: {event.error.error.message}")
    seconds = time.perf_counter() - start
    await batches.delete(batch.batch_id)
    return seconds
