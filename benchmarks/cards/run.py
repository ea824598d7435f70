"""How exactly made-up licences and cards without a machine readable zone are read; every miss printed."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import description
from benchmarks.ours import Pipeline, open_pipeline
from benchmarks.real_data import ROOT
from benchmarks.report import Floor, bullets, floor_block, publish, table
from rendering.cards import LAYOUTS, Card, card
from rendering.degrade import Degradation, degrade

RESULTS = ROOT / "benchmarks" / "results"
_SEEN = {
    "as it is": Degradation(),
    "photographed": Degradation(tilt_degrees=2, blur_px=0.8, noise=5, jpeg_quality=70),
}
_FLOOR = 0.9
_TYPE_FLOOR = 0.95


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """What became of one picture."""

    layout: str
    right: int
    wanted: int
    type_right: bool
    misses: tuple[str, ...]


async def judge(pipeline: Pipeline, made: Card, name: str, content: bytes) -> CardVerdict:
    """Reads one card whose type is not told."""
    document = await pipeline.read(content)
    read = {field.key: field.value for field in document.fields if field.index == 0}
    misses = [
        f"{name}: {key} is {value!r}, read {read.get(key, '')!r}"
        for key, value in made.truth.items()
        if _plain(read.get(key, "")) != _plain(value)
    ]
    typed = document.document_type == made.document_type
    if not typed:
        misses.append(f"{name}: is a {made.document_type}, taken for {document.document_type}")
    wanted = len(made.truth)
    return CardVerdict(made.layout, wanted - len(misses) + (not typed), wanted, typed, tuple(misses))


def _plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def floors(verdicts: Sequence[CardVerdict]) -> list[Floor]:
    """The share of fields and of types that must be right."""
    fields = sum(one.right for one in verdicts) / max(1, sum(one.wanted for one in verdicts))
    types = sum(one.type_right for one in verdicts) / max(1, len(verdicts))
    return [Floor("fields right", fields, _FLOOR), Floor("types right", types, _TYPE_FLOOR)]


async def _evaluate(options: argparse.Namespace) -> bool:
    verdicts = []
    async with open_pipeline() as pipeline:
        for layout in LAYOUTS:
            for seed in range(options.count):
                made = card(layout, seed)
                for how, spoilt in _SEEN.items():
                    content = degrade(made.image, spoilt, seed)
                    found = await judge(pipeline, made, f"{layout} {seed} {how}", content)
                    verdicts.append(found)
                    for miss in found.misses:
                        print(f"MISS  {miss}", flush=True)
    reached = floors(verdicts)
    machine = description()
    parts = [cards_table(verdicts), floor_block(reached), bullets(machine)]
    figures = {"misses": [miss for one in verdicts for miss in one.misses], "machine": machine}
    return publish(options.results, "cards", parts, figures, reached)


def cards_table(verdicts: Sequence[CardVerdict]) -> str:
    """Fields right by layout, as Markdown."""
    right, wanted = Counter[str](), Counter[str]()
    for one in verdicts:
        right[one.layout] += one.right
        wanted[one.layout] += one.wanted
    return table(["layout", "fields right", "of"], ([n, str(right[n]), str(wanted[n])] for n in wanted))


def main() -> int:
    """0 where every floor is reached."""
    parser = argparse.ArgumentParser(prog="eval_cards", description=__doc__)
    parser.add_argument("--count", type=int, default=4, help="cards of each layout")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return 0 if asyncio.run(_evaluate(parser.parse_args())) else 1
