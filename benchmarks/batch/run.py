"""`make bench-batch`: batches beside single readings, with one worker and two; see `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.batch.contest import (
    AT_ONCE,
    Measured,
    Plan,
    measure_crew,
    measure_live,
    measure_service,
    render_pages,
)
from benchmarks.batch.servers import open_crew, open_service
from benchmarks.batch.standing import as_json, floors, tables, verdict
from benchmarks.machine import PACKAGES, CpuTimes, description
from benchmarks.real_data import ROOT
from benchmarks.report import bullets, floor_block, publish
from benchmarks.scratch import scratch

RESULTS = ROOT / "benchmarks" / "results"
_TRIAL = Plan(rounds=1, pairs=1, items=3, shared_items=4, extractions=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-batch", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often workers and live readings are measured"
    )
    parser.add_argument("--pairs", type=int, default=15, help="how often a batch and the direct call are")
    parser.add_argument("--trial", action="store_true", help="few pages, one round: the figures mean little")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


async def _measure(plan: Plan, folder: Path, log: Path) -> Measured:
    pages = render_pages(folder, max(plan.items, plan.shared_items))
    # One after the other: the workers of both would only lie in memory, but they would.
    async with open_service(log) as service:
        rounds = await measure_service(service, pages, plan)
        live = await measure_live(service, pages, plan)
        steps_s = await service.steps()
    async with open_crew(log, workers=2) as crew:
        one_s, two_s = await measure_crew(crew, pages, plan)
    return Measured(rounds, live, one_s, two_s, steps_s)


def _publish(folder: Path, measured: Measured, plan: Plan, facts: Mapping[str, str]) -> bool:
    wanted = floors(measured)
    parts = [tables(measured, plan), floor_block(wanted), bullets(facts)]
    return publish(folder, "batch", parts, as_json(measured) | {"facts": dict(facts)}, wanted)


def main() -> int:
    """Measures, writes the results, and fails where a floor is not reached."""
    options = _arguments()
    plan = _TRIAL if options.trial else Plan(rounds=options.rounds, pairs=options.pairs)
    machine = description(PACKAGES)
    print(f"{plan.pairs} and {plan.rounds} rounds", flush=True)
    before = CpuTimes.now()
    with scratch("processes.log") as (folder, log):
        measured = asyncio.run(_measure(plan, folder, log))
    machine["other work meanwhile"] = f"{before.others_share(CpuTimes.now()):.0%} of the cores"
    facts = {
        "aim": verdict(measured),
        "rounds": f"{plan.pairs} of batches, direct calls and single readings, {plan.rounds} of the rest",
        "pages": "rendered letters, 1000 × 1150",
        "service": f"extraction and batches in one process, engine with as many threads as cores; "
        f"{AT_ONCE} items at once, in the batch and called directly",
        "worker processes": "`vidence worker`, one engine thread each, 2 items at hand; the second is "
        "drained and let work by turns",
        **machine,
    }
    return 0 if _publish(options.results, measured, plan, facts) else 1


if __name__ == "__main__":
    sys.exit(main())
