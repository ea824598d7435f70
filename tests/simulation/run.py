"""Runs histories: `run.py --seeds 10000 --jobs 2`, and one failing seed again by `run.py --seed N -v`."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation import history
from simulation.judge import Finding

_CHUNK = 50


class Summary(NamedTuple):
    """What became of a stretch of seeds."""

    findings: list[tuple[int, Finding]]
    faults: Counter[str]
    events: int
    messages: int


def run_stretch(seeds: range) -> Summary:
    """Runs the histories of some seeds."""
    findings: list[tuple[int, Finding]] = []
    faults: Counter[str] = Counter()
    events = messages = 0
    gc.disable()  # histories are short: collecting between them costs half as much
    for seed in seeds:
        if seed % 10 == 0:
            gc.collect()
        outcome = history.run(history.draw(seed))
        findings += [(seed, finding) for finding in outcome.judgement]
        faults.update(outcome.observed.struck)
        events += len(outcome.observed.told)
        records = outcome.observed.watchers
        messages += sum(len(c.messages) for record in records for c in record.watcher.connections)
    return Summary(findings, faults, events, messages)


def run_many(first: int, count: int, jobs: int) -> int:
    """Runs many seeds and prints what was found; gives the exit code."""
    started_s = time.monotonic()
    stretches = [
        range(seed, min(seed + _CHUNK, first + count)) for seed in range(first, first + count, _CHUNK)
    ]
    with ProcessPoolExecutor(jobs) as pool:
        summaries = list(pool.map(run_stretch, stretches))
    findings = [found for summary in summaries for found in summary.findings]
    faults = sum((summary.faults for summary in summaries), Counter())
    took_s = time.monotonic() - started_s
    events = sum(summary.events for summary in summaries)
    messages = sum(summary.messages for summary in summaries)
    sys.stdout.write(f"{count} histories in {took_s:.1f} s: {events} events, {messages} messages, ")
    sys.stdout.write(f"{len(findings)} violations\n")
    sys.stdout.write("  ".join(f"{name} {struck}" for name, struck in sorted(faults.items())) + "\n")
    for promise, seen in Counter(finding.promise for _, finding in findings).most_common():
        seeds = sorted({seed for seed, finding in findings if finding.promise == promise})
        sys.stdout.write(f"{promise}: {seen} in {len(seeds)} histories, seeds {seeds[:8]}\n")
    for seed, finding in findings[:10]:
        sys.stdout.write(f"seed {seed}: {finding.promise}: {finding.text}\n")
    return 1 if findings else 0


def run_one(seed: int, *, verbose: bool) -> int:
    """Runs one seed and prints what was found, with the history if asked."""
    outcome = history.run(history.draw(seed))
    if verbose:
        sys.stdout.write(f"{outcome.plan}\n")
        sys.stdout.write("\n".join(outcome.lines) + "\n")
    for finding in outcome.judgement:
        sys.stdout.write(f"{finding.promise}: {finding.text}\n")
    sys.stdout.write(f"seed {seed}: {len(outcome.judgement)} violations\n")
    return 1 if outcome.judgement else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, nargs="+", help="only these")
    parser.add_argument("-v", "--verbose", action="store_true", help="with --seed: print the history")
    options = parser.parse_args()
    if options.seed:
        return max(run_one(seed, verbose=options.verbose) for seed in options.seed)
    return run_many(options.first, options.seeds, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
