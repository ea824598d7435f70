"""`make eval`: how exactly machine readable zones are read. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import description
from benchmarks.mrz.real import (
    Outcome,
    checks_table,
    floors,
    misses,
    our_outcomes,
    peer_outcome,
    score,
    wanted,
)
from benchmarks.mrz.rendered import DEGRADATIONS, Judged, judge_all, rate, rates_table
from benchmarks.ocr.entries import runnable
from benchmarks.ours import Pipeline, open_pipeline
from benchmarks.real_data import ROOT, absence, real_data
from benchmarks.report import Floor, bullets
from rendering.zones import FORMATS
from vidence_server.core.clock import SystemClock

RESULTS = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eval_mrz.py", description=__doc__)
    parser.add_argument("--people", type=int, default=10, help="documents per layout and degradation")
    parser.add_argument("--rendered-only", action="store_true", help="leave the real pictures and peers out")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


async def _evaluate(options: argparse.Namespace) -> bool:
    async with open_pipeline() as pipeline:
        judged = await judge_all(pipeline, options.people)
        _print_rendered(judged)
        notes, outcomes = await _real(pipeline, rendered_only=options.rendered_only)
    reached = _print_real(notes, outcomes)
    _write(options.results, judged, notes, outcomes)
    return all(floor.reached for floor in reached)


async def _real(pipeline: Pipeline, *, rendered_only: bool) -> tuple[list[str], list[Outcome]]:
    folder = real_data("mrz")
    if rendered_only:
        return ["Real pictures left out (--rendered-only)."], []
    if folder is None:
        return [absence("mrz")], []
    pictures = sorted(folder.glob("*.jpg"))
    present, absent = runnable()
    outcomes = await our_outcomes(pipeline, pictures)
    with tempfile.TemporaryDirectory(prefix="vidence-eval-") as words:
        for peer in present:
            log = Path(words) / "peer.log"
            outcomes.append(await peer_outcome(peer, pictures, SystemClock().now().date(), log))
    return [f"Not compared with {reason}" for reason in absent], outcomes


def _print_rendered(judged: Sequence[Judged]) -> None:
    found = [str(miss) for one in judged for miss in one.misses]
    print(f"{rates_table(judged)}\n\nEvery miss on rendered documents ({len(found)}):", flush=True)
    print("\n".join(found) or "none", flush=True)


def _print_real(notes: Sequence[str], outcomes: Sequence[Outcome]) -> list[Floor]:
    print("\n".join(["", *notes]))
    if not outcomes:
        return []
    expected = wanted(outcomes)
    print(f"\n{checks_table(outcomes)}\n")
    for outcome in outcomes:
        found = misses(outcome, expected)
        print(f"{outcome.engine}, {len(found)} misses:", *(f"  {miss}" for miss in found), sep="\n")
    reached = floors(outcomes)
    print("", *reached, sep="\n")
    return reached


def _write(folder: Path, judged: Sequence[Judged], notes: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    machine = description()
    expected = wanted(outcomes) if outcomes else {}
    figures = {
        "rendered": {
            layout: {kind: asdict(rate(judged, layout, kind)) for kind in DEGRADATIONS} for layout in FORMATS
        },
        "real": {outcome.engine: asdict(score(outcome, expected)) for outcome in outcomes},
        "check_digits": sum(map(len, expected.values())),
        "notes": list(notes),
        "machine": machine,
    }
    text = [rates_table(judged), *notes]
    if outcomes:
        passed = "\n".join(map(str, floors(outcomes)))
        text += [checks_table(outcomes), f"```\n{passed}\n```"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mrz.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    (folder / "mrz.md").write_text("\n\n".join([*text, bullets(machine)]) + "\n")
    print(f"\nWritten to {folder}/mrz.md and mrz.json")


def main() -> int:
    """Evaluates, writes the results, and fails where a floor is not reached."""
    return 0 if asyncio.run(_evaluate(_arguments())) else 1
