"""How exactly rendered documents are read, by layout and by what was done to the picture."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from benchmarks.ours import Pipeline
from benchmarks.report import table
from rendering.degrade import Degradation, degrade, random_degradation
from rendering.documents import render_document
from rendering.people import random_person
from rendering.zones import FORMATS
from vidence_server.core.errors import DomainError
from vidence_server.extraction.domain.document import Document

DEGRADATIONS = ("none", "tilt", "blur", "JPEG", "noise", "all four")
_TODAY = date(2026, 1, 1)
"""People are made for this day, whatever day it is: the same seed gives the same documents."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and the truth about it."""

    name: str
    layout: str
    degradation: str
    content: bytes
    document_type: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Miss:
    """A field that was not read exactly. The people are made up, so values may be shown."""

    sample: str
    key: str
    truth: str
    read: str

    def __str__(self) -> str:
        return f"{self.sample}: {self.key} is {self.truth!r}, read {self.read!r}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one sample."""

    layout: str
    degradation: str
    fields: int
    misses: tuple[Miss, ...]


def samples(people: int) -> Iterator[Sample]:
    """Every layout for `people` made-up persons, each spoilt in every way; seeded."""
    for layout in FORMATS:
        for number in range(people):
            seed = number + 1000 * FORMATS.index(layout)
            document = render_document(random_person(Random(seed), _TODAY), layout)
            for place, kind in enumerate(DEGRADATIONS):
                content = degrade(document.image, degradation(kind, Random(seed + 100 * place)), seed)
                name = f"{layout} {number} {kind}"
                yield Sample(name, layout, kind, content, document.document_type, document.fields)


def degradation(kind: str, random: Random) -> Degradation:
    """How a picture is spoilt; strengths are drawn."""
    match kind:
        case "none":
            return Degradation()
        case "tilt":
            return Degradation(tilt_degrees=random.uniform(-5, 5))
        case "blur":
            return Degradation(blur_px=random.uniform(0.8, 2.0))
        case "JPEG":
            return Degradation(jpeg_quality=random.randint(25, 50))
        case "noise":
            return Degradation(noise=random.uniform(6, 16))
        case _:
            return random_degradation(random)


async def judge_all(pipeline: Pipeline, people: int) -> list[Judged]:
    """Reads all samples, as many at once as there are workers; they are rendered off the loop."""
    waiting = samples(people)
    found: list[Judged] = []
    rendering = asyncio.Lock()  # the lanes share one generator
    async with asyncio.TaskGroup() as tasks:
        for _ in range(pipeline.engine.workers):
            tasks.create_task(_lane(pipeline, waiting, rendering, found))
    return found


async def _lane(
    pipeline: Pipeline, waiting: Iterator[Sample], rendering: asyncio.Lock, found: list[Judged]
) -> None:
    while True:
        async with rendering:
            sample = await asyncio.to_thread(next, waiting, None)
        if sample is None:
            return
        found.append(await _judge(pipeline, sample))


async def _judge(pipeline: Pipeline, sample: Sample) -> Judged:
    """Reads a sample without naming its type."""
    try:
        document = await pipeline.read(sample.content)
    except DomainError as error:
        document = Document(f"error {error.reason.name}", 0.0, ())
    misses = tuple(_misses(sample, document))
    return Judged(sample.layout, sample.degradation, len(sample.fields) + 1, misses)


def _misses(sample: Sample, document: Document) -> Iterator[Miss]:
    if document.document_type != sample.document_type:
        yield Miss(sample.name, "type", sample.document_type, document.document_type)
    values = {field.key: field.value for field in document.fields}
    for key, truth in sample.fields.items():
        if values.get(key, "") != truth:
            yield Miss(sample.name, key, truth, values.get(key, ""))


@dataclass(frozen=True, slots=True)
class Rate:
    """Counts of a group of samples."""

    documents: int
    documents_exact: int
    fields: int
    fields_exact: int

    @property
    def field_rate(self) -> float:
        """Share of the fields that were read exactly, 0–1."""
        return self.fields_exact / self.fields if self.fields else 0.0


def rate(judged: Sequence[Judged], layout: str = "", kind: str = "") -> Rate:
    """Counts over one layout and one degradation, or over all."""
    chosen = [one for one in judged if layout in ("", one.layout) and kind in ("", one.degradation)]
    fields = sum(one.fields for one in chosen)
    return Rate(
        len(chosen),
        sum(not one.misses for one in chosen),
        fields,
        fields - sum(len(one.misses) for one in chosen),
    )


def rates_table(judged: Sequence[Judged]) -> str:
    """Field-exact rates by layout and degradation, as Markdown."""
    rows = []
    for layout in (*FORMATS, ""):
        cells = [f"{rate(judged, layout, kind).field_rate:.1%}" for kind in (*DEGRADATIONS, "")]
        whole = rate(judged, layout)
        rows.append([layout or "all", *cells, f"{whole.documents_exact} of {whole.documents}"])
    return table(["fields exact", *DEGRADATIONS, "together", "documents exact"], rows)
