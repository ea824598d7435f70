"""The measurement itself: every engine reads every picture in every round, one or two at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ocr.metrics import Accuracy, accuracy
from benchmarks.ocr.pictures import Picture
from benchmarks.processes import Answer, EngineProcess


@dataclass(frozen=True, slots=True)
class Entry:
    """One engine: a process for one picture at a time, and who reads when two are read at once."""

    name: str
    alone: EngineProcess
    pair: tuple[EngineProcess, EngineProcess]
    """The same process twice where it works on two pictures by itself."""
    pair_mode: str
    """What `pair` is, for people."""
    is_peer: bool
    """Peers may use the faster of both modes where two pictures are at hand; ours has only one."""


@dataclass(slots=True)
class Measured:
    """What one engine did. Seconds per round over all pictures."""

    single_s: list[float] = field(default_factory=list)
    pair_s: list[float] = field(default_factory=list)
    answers: dict[Path, Answer] = field(default_factory=dict)
    """Of the first round."""
    extra: dict[str, float] = field(default_factory=dict)
    """Sums over all rounds, one picture at a time."""

    def accuracy(self, pictures: Sequence[Picture], kind: str = "") -> Accuracy:
        """How well it read the pictures of a kind, or all."""
        chosen = [picture for picture in pictures if kind in ("", picture.kind)]
        counts = [accuracy(picture.lines, self.answers[picture.path].lines) for picture in chosen]
        return sum(counts, Accuracy())


async def contest(entries: Sequence[Entry], pictures: Sequence[Picture], rounds: int) -> list[Measured]:
    """Measures all engines; nothing else runs while one of them reads."""
    measured = [Measured() for _ in entries]
    await _warm_up(entries, pictures)
    for number in range(rounds):
        await _single_round(entries, measured, pictures, number)
        for entry, result in zip(entries, measured, strict=True):
            result.pair_s.append(await _pair(entry, pictures))
        print(f"round {number + 1} of {rounds}", flush=True)
    return measured


async def _warm_up(entries: Sequence[Entry], pictures: Sequence[Picture]) -> None:
    """One picture for every process: first runs allocate."""
    for entry in entries:
        for engine in {entry.alone, *entry.pair}:
            await engine.read(pictures[0].path)


async def _single_round(
    entries: Sequence[Entry], measured: Sequence[Measured], pictures: Sequence[Picture], number: int
) -> None:
    """Engines take turns picture by picture, so that a change of the machine's pace meets all of them."""
    spent = [0.0] * len(entries)
    for place, picture in enumerate(pictures):
        for turn in range(len(entries)):
            index = (turn + place + number) % len(entries)
            start = time.perf_counter()
            answer = await entries[index].alone.read(picture.path)
            spent[index] += time.perf_counter() - start
            measured[index].answers.setdefault(picture.path, answer)
            for name, value in answer.extra.items():
                measured[index].extra[name] = measured[index].extra.get(name, 0.0) + value
    for result, seconds in zip(measured, spent, strict=True):
        result.single_s.append(seconds)


async def _pair(entry: Entry, pictures: Sequence[Picture]) -> float:
    """Seconds for all pictures, two in flight: whoever is free takes the next one."""
    waiting = iter(pictures)

    async def lane(engine: EngineProcess) -> None:
        for picture in waiting:
            await engine.read(picture.path)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for engine in entry.pair:
            tasks.create_task(lane(engine))
    return time.perf_counter() - start
