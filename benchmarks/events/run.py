"""`make bench-events`: the bus beside other ways to fan events out. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.events.contest import Measured, contest
from benchmarks.events.servers import Contender, contenders
from benchmarks.events.standing import Standing, as_json, floors, tables
from benchmarks.events.workloads import Sizes
from benchmarks.machine import CpuTimes, description
from benchmarks.real_data import ROOT
from benchmarks.report import bullets

RESULTS = ROOT / "benchmarks" / "results"
_PACKAGES = ("vidence", "grpcio", "protobuf", "uvloop")
_CORES = 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-events", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured")
    parser.add_argument(
        "--trial", action="store_true", help="seconds instead of minutes: the figures mean little"
    )
    parser.add_argument(
        "--only", default="", help="a peer to compare with, by a part of its name; default: all"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


def _publish(
    folder: Path, standing: Standing, setting: dict[str, str], machine: dict[str, str], missing: Sequence[str]
) -> bool:
    wanted = floors(standing)
    text = "\n\n".join(
        [
            tables(standing),
            "\n".join(map(str, wanted)).join(("```\n", "\n```")),
            bullets(setting | machine),
            *missing,
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    figures = as_json(standing) | {
        "floors": {
            floor.name: {"value": None if isnan(floor.value) else floor.value, "reached": floor.reached}
            for floor in wanted
        },
        "setting": setting,
        "machine": machine,
        "missing": list(missing),
    }
    (folder / "events.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    (folder / "events.md").write_text(text + "\n")
    print(f"\n{text}\n\nWritten to {folder}/events.md and events.json")
    return all(floor.reached for floor in wanted)


def _measured(present: Sequence[Contender], sizes: Sizes, rounds: int) -> tuple[Measured, str]:
    """What was measured, and the share of the machine that other work took meanwhile."""
    before = CpuTimes.now()
    # On the disk of the project: /tmp may be memory, which syncs nothing.
    with TemporaryDirectory(prefix="events-", dir=ROOT / ".venv-bench") as folder:
        measured = contest(present, sizes, rounds, Path(folder))
    return measured, f"{before.others_share(CpuTimes.now()):.0%} of the cores"


def main() -> int:
    """Measures, writes the results, and fails where a floor is not reached."""
    options = _arguments()
    if len(os.sched_getaffinity(0)) < _CORES:
        print("bench-events needs two cores: one for the server, one for the load", file=sys.stderr)
        return 1
    sizes = Sizes(seconds=0.5, seed_s=5.0, counts=(1, 100), events=20_000) if options.trial else Sizes()
    present, missing = contenders()
    present = [present[0], *(peer for peer in present[1:] if options.only.lower() in peer.name.lower())]
    machine = description(_PACKAGES)
    print(
        "\n".join([*missing, f"{', '.join(one.name for one in present)}; {options.rounds} rounds"]),
        flush=True,
    )
    measured, others = _measured(present, sizes, options.rounds)
    setting = {
        "subscribers": f"{', '.join(map(str, sizes.counts))}, a connection each",
        "rounds": str(options.rounds),
        **{one.name: one.version for one in present},
    }
    machine["other work meanwhile"] = others
    return 0 if _publish(options.results, Standing(measured, sizes), setting, machine, missing) else 1


if __name__ == "__main__":
    sys.exit(main())
