"""`make eval`: how exactly pictures are read as phones take them, step by step; every miss printed."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.degradation.cases import Case, real_cases, rendered_cases
from benchmarks.degradation.steps import STEPS, Step
from benchmarks.machine import description
from benchmarks.ours import Pipeline, open_pipeline
from benchmarks.real_data import ROOT, absence, real_data
from benchmarks.report import Floor, bullets, table
from rendering.made_up_cards import made_up_names
from vidence_server.core.errors import DomainError
from vidence_server.extraction.domain.document import Document
from vidence_server.extraction.settings import ExtractionSettings

RESULTS = ROOT / "benchmarks" / "results"
REAL_GROUPS = frozenset({"none", "tilt", "turn"})
"""Real pictures are spoilt already: they are only moved."""
FLOORS = {"tilt": 0.97, "turn": 0.97}
"""Exact fields of rendered documents, over those that are exact in the pictures as they are."""
_NAMES = 2000


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one picture in one step."""

    case: str
    kind: str
    step: Step
    fields: int
    misses: tuple[str, ...]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eval_degradation.py", description=__doc__)
    parser.add_argument("--documents", type=int, default=1, help="rendered documents per kind")
    parser.add_argument("--real", type=int, default=2, help="real pictures per kind")
    parser.add_argument("--groups", nargs="*", default=[], help="only these groups of steps")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


async def _evaluate(options: argparse.Namespace) -> bool:
    names = made_up_names(Random(2026), _NAMES)
    with tempfile.TemporaryDirectory(prefix="vidence-eval-") as scratch:
        catalogue = Path(scratch) / "names.txt"
        catalogue.write_text("\n".join(names) + "\n")
        settings = ExtractionSettings(card_catalogues={"eval": catalogue}, card_catalogue="eval")
        async with open_pipeline(settings) as pipeline:
            cases = [
                *rendered_cases(options.documents, names),
                *await real_cases(pipeline.read, options.real),
            ]
            judged = await _judge_all(pipeline, _work(cases, options.groups))
    notes = [absence(kind) for kind in ("mrz", "receipts") if options.real and real_data(kind) is None]
    return _tell(options.results, judged, notes)


def _work(cases: Sequence[Case], groups: Sequence[str]) -> Iterator[tuple[Case, Step]]:
    for step in STEPS:
        for case in cases:
            real = case.kind.startswith("real")
            if (not groups or step.group in groups) and not (real and step.group not in REAL_GROUPS):
                yield case, step


async def _judge_all(pipeline: Pipeline, waiting: Iterator[tuple[Case, Step]]) -> list[Judged]:
    """As many at once as there are workers."""
    found: list[Judged] = []

    async def lane() -> None:
        for case, step in waiting:
            found.append(await _judge(pipeline, case, step))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(pipeline.engine.workers):
            tasks.create_task(lane())
    order = {step: place for place, step in enumerate(STEPS)}
    return sorted(found, key=lambda one: (order[one.step], one.kind, one.case))


async def _judge(pipeline: Pipeline, case: Case, step: Step) -> Judged:
    content = await asyncio.to_thread(step.picture, case.image, 1)
    try:
        document = await pipeline.read(content, case.document_type)
    except DomainError as error:
        document = Document(f"error {error.reason.name}", 0.0, ())
    return Judged(case.name, case.kind, step, case.fields, tuple(case.misses(document)))


def share(judged: Sequence[Judged]) -> float:
    """Share of the fields that are exact, 0–1; NaN without any."""
    fields = sum(one.fields for one in judged)
    return 1 - sum(len(one.misses) for one in judged) / fields if fields else float("nan")


def shares_table(judged: Sequence[Judged]) -> str:
    """Exact fields by step and kind of document, as Markdown."""
    kinds = list(dict.fromkeys(one.kind for one in judged))
    rows = []
    for step in STEPS:
        of_step = [one for one in judged if one.step == step]
        if of_step:
            groups = [[one for one in of_step if one.kind == kind] for kind in kinds]
            cells = [f"{share(group):.0%}" if group else "" for group in groups]
            rows.append([f"{step.group}: {step.name}", *cells, f"{share(of_step):.1%}"])
    return table(["fields exact", *kinds, "all"], rows)


def kept(upright: Sequence[Judged], moved: Sequence[Judged]) -> float:
    """Share of the fields exact in pictures as they are that are exact in the same pictures moved, 0–1.

    Picture by picture: what one gains makes up for nothing that another loses. NaN where there is nothing.
    """
    exact = {one.case: one.fields - len(one.misses) for one in upright}
    known = [one for one in moved if one.case in exact]
    possible = sum(exact[one.case] for one in known)
    held = sum(min(exact[one.case], one.fields - len(one.misses)) for one in known)
    return held / possible if possible else float("nan")


def floors(judged: Sequence[Judged]) -> list[Floor]:
    """How much of what is read in rendered documents as they are must still be read."""
    rendered = [one for one in judged if not one.kind.startswith("real")]
    upright = [one for one in rendered if one.step.group == "none"]
    return [
        Floor(f"rendered, {group}: fields kept", kept(upright, moved), least)
        for group, least in FLOORS.items()
        if (moved := [one for one in rendered if one.step.group == group])
    ]


def miss_lines(judged: Sequence[Judged]) -> list[str]:
    """Every miss, the picture's in one line; many of one picture are counted behind the first three."""
    lines = []
    for one in judged:
        if one.misses:
            more = f"; and {len(one.misses) - 3} more" if len(one.misses) > 3 else ""
            lines.append(f"{one.step.group} {one.step.name}, {one.case}: {'; '.join(one.misses[:3])}{more}")
    return lines


def _tell(folder: Path, judged: Sequence[Judged], notes: Sequence[str]) -> bool:
    grid, reached, lines = shares_table(judged), floors(judged), miss_lines(judged)
    missed = sum(len(one.misses) for one in judged)
    print(grid, "", f"Every miss ({missed}):", *(lines or ["none"]), "", *notes, *reached, sep="\n")
    machine = description()
    figures = {
        "groups": {
            group: share([one for one in judged if one.step.group == group])
            for group in dict.fromkeys(one.step.group for one in judged)
        },
        "floors": {floor.name: floor.value for floor in reached},
        "misses": missed,
        "notes": list(notes),
        "machine": machine,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "degradation.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    text = [grid, *notes, "```\n" + "\n".join(map(str, reached)) + "\n```", bullets(machine)]
    (folder / "degradation.md").write_text("\n\n".join(text) + "\n")
    return all(floor.reached for floor in reached)


def main() -> int:
    """Evaluates, writes the results, and fails where a floor is not reached."""
    return 0 if asyncio.run(_evaluate(_arguments())) else 1
