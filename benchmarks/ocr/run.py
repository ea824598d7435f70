"""`make bench-ocr`: reading speed and accuracy beside other engines. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import CpuTimes, description
from benchmarks.ocr.contest import Entry, Measured, contest
from benchmarks.ocr.entries import open_entries, runnable
from benchmarks.ocr.pictures import Picture, pictures
from benchmarks.ocr.standing import as_json, facts, floors, own_pipeline, standings, standings_table
from benchmarks.real_data import ROOT, absence, real_data
from benchmarks.report import bullets, floor_block, publish
from benchmarks.scratch import scratch

RESULTS = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-ocr", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everybody reads everything")
    parser.add_argument("--pages", type=int, default=3, help="rendered pages")
    parser.add_argument("--receipts", type=int, default=6, help="real receipts, where there are some")
    parser.add_argument("--limit", type=int, default=0, help="at most so many pictures of each kind: a trial")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


async def _measure(options: argparse.Namespace, folder: Path, log: Path) -> bool:
    limit = options.limit or max(options.pages, options.receipts)
    chosen = pictures(folder, pages=min(options.pages, limit), receipts=min(options.receipts, limit))
    machine = description()
    present, absent = runnable()
    missing = [f"Not compared with {reason}" for reason in absent]
    if real_data("receipts") is None:
        missing.append(absence("receipts"))
    print("\n".join([*missing, f"{len(chosen)} pictures, {options.rounds} rounds"]), flush=True)
    before = CpuTimes.now()
    async with open_entries(present, log) as entries:
        measured = await contest(entries, chosen, options.rounds)
    others = before.others_share(CpuTimes.now())
    machine["other work meanwhile"] = f"{others:.0%} of the cores"
    return _publish(options, chosen, entries, measured, machine=machine, missing=missing)


def _publish(
    options: argparse.Namespace,
    chosen: Sequence[Picture],
    entries: Sequence[Entry],
    measured: Sequence[Measured],
    *,
    machine: dict[str, str],
    missing: Sequence[str],
) -> bool:
    rows = standings(entries, measured, chosen)
    own = own_pipeline(entries, measured, len(chosen))
    wanted = floors(rows, own)
    counted = {kind: sum(picture.kind == kind for picture in chosen) for kind in ("page", "receipt")}
    setting = {
        "pictures": f"{counted['page']} rendered pages, {counted['receipt']} real receipts",
        "rounds": str(options.rounds),
    }
    modes = {row.name: f"{row.version}; two at once: {row.pair_mode}" for row in rows}
    parts = [
        standings_table(rows),
        floor_block(wanted),
        bullets(facts(own, rows)),
        bullets(setting | modes | machine),
        *missing,
    ]
    figures = as_json(rows, own) | {
        "rounds": {
            entry.name: {"single_s": result.single_s, "pair_s": result.pair_s}
            for entry, result in zip(entries, measured, strict=True)
        },
        "setting": setting,
        "machine": machine,
        "missing": list(missing),
    }
    return publish(options.results, "ocr", parts, figures, wanted)


def main() -> int:
    """Measures, writes the results, and fails where a floor is not reached."""
    options = _arguments()
    with scratch("engines.log") as (folder, log):
        reached = asyncio.run(_measure(options, folder, log))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
