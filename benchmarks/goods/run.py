"""`make eval`: how exactly decklists and receipts are read, every miss printed."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from benchmarks.goods import decks, receipts
from benchmarks.machine import description
from benchmarks.ours import open_pipeline
from benchmarks.real_data import ROOT, absence, real_data
from benchmarks.report import Floor, bullets
from rendering.made_up_cards import made_up_names
from vidence_server.core.clock import SystemClock
from vidence_server.extraction.settings import ExtractionSettings

RESULTS = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rendered", type=int, default=3, help="rendered pictures per style")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


async def _decklists(options: argparse.Namespace) -> bool:
    folder = real_data("decklists")
    real = decks.real_cases(folder) if folder else []
    names = made_up_names(Random(2026), decks.OTHER_NAMES)
    rendered = list(decks.rendered_cases(options.rendered, names))
    with tempfile.TemporaryDirectory(prefix="vidence-eval-") as scratch:
        catalogue = Path(scratch) / "names.txt"
        catalogue.write_text("\n".join(decks.catalogue_names([*real, *rendered])) + "\n")
        settings = ExtractionSettings(card_catalogues={"eval": catalogue}, card_catalogue="eval")
        async with open_pipeline(settings) as pipeline:
            judged_real = [await decks.judge(pipeline, case) for case in real]
            judged = [await decks.judge(pipeline, case) for case in rendered]
    parts = [("real", judged_real)] if real else []
    notes = [] if real else [absence("decklists")]
    sections = [
        (
            what,
            decks.decks_table(found),
            [f"{one.name}: {miss}" for one in found for miss in one.misses],
            [decks.floor(found, what)],
        )
        for what, found in [*parts, ("rendered", judged)]
    ]
    return _tell(options.results, "decklists", sections, notes)


async def _receipts(options: argparse.Namespace) -> bool:
    folder = real_data("receipts")
    real = receipts.real_cases(folder) if folder else []
    today = SystemClock().now().date()
    rendered = list(receipts.rendered_cases(options.rendered))
    async with open_pipeline() as pipeline:
        judged_real = [await receipts.judge(pipeline, case, today) for case in real]
        judged = [await receipts.judge(pipeline, case, today) for case in rendered]
    parts = [("real", judged_real)] if real else []
    notes = [] if real else [absence("receipts")]
    sections = [
        (
            what,
            receipts.receipts_table(found),
            [f"{one.name}: {miss}" for one in found for miss in one.misses],
            receipts.floors(found, what),
        )
        for what, found in [*parts, ("rendered", judged)]
    ]
    return _tell(options.results, "receipts", sections, notes)


def _tell(
    folder: Path,
    name: str,
    sections: Sequence[tuple[str, str, Sequence[str], Sequence[Floor]]],
    notes: Sequence[str],
) -> bool:
    """Prints and writes tables, misses and floors; whether all floors are reached."""
    text = list(notes)
    for what, grid, misses, reached in sections:
        text += [f"## {what}", grid, "```\n" + "\n".join(map(str, reached)) + "\n```"]
        print(
            f"\n{name}, {what}\n\n{grid}\n\nEvery miss ({len(misses)}):",
            *(misses or ["none"]),
            "",
            *reached,
            sep="\n",
        )
    print("", *notes, sep="\n")
    machine = description()
    figures = {
        "floors": {str(floor.name): floor.value for _, _, _, reached in sections for floor in reached},
        "misses": {what: len(misses) for what, _, misses, _ in sections},
        "notes": list(notes),
        "machine": machine,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    (folder / f"{name}.md").write_text("\n\n".join([*text, bullets(machine)]) + "\n")
    return all(floor.reached for _, _, _, reached in sections for floor in reached)


def main_decklists() -> int:
    """Evaluates decklists, writes the results, and fails where a floor is not reached."""
    return 0 if asyncio.run(_decklists(_arguments())) else 1


def main_receipts() -> int:
    """The same for receipts."""
    return 0 if asyncio.run(_receipts(_arguments())) else 1
