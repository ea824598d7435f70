"""`make bench-library`: vectors kept and searched beside others. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.library.contenders import NUMPY, OURS, PEER_PYTHON, Contender, contenders
from benchmarks.library.contest import Measured, Plan, Size, contest
from benchmarks.library.service import Service, measure_service
from benchmarks.library.standing import as_json, floors, tables
from benchmarks.machine import CpuTimes, description
from benchmarks.real_data import ROOT
from benchmarks.report import bullets, floor_block, publish

RESULTS = ROOT / "benchmarks" / "results"
_PACKAGES = ("vidence", "numpy", "usearch", "sqlalchemy", "grpcio")
_TRIAL = Plan(sizes=(Size(2_000, 384), Size(5_000, 128)), served=(Size(2_000, 384),), rounds=2, queries=3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-library", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often all queries are asked")
    parser.add_argument("--trial", action="store_true", help="few vectors: the figures mean little")
    parser.add_argument(
        "--only", default="", help="a peer to compare with, by a part of its name; default: all"
    )
    parser.add_argument("--no-service", action="store_true", help="leave the service out")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


@contextmanager
def _postgres(present: Sequence[Contender]) -> Iterator[str]:
    """The folder of a PostgreSQL's socket, where somebody needs one."""
    if not any(one.needs_postgres for one in present):
        yield ""
        return
    from fakes.postgres import PostgresProcess

    server = PostgresProcess("shared_buffers=1GB", "max_wal_size=4GB")
    try:
        server.start()
        yield str(server.url().query["host"])
    finally:
        server.remove()


def _publish(
    folder: Path,
    measured: Measured,
    plan: Plan,
    *,
    service: Service,
    facts: Mapping[str, str],
    missing: Sequence[str],
) -> bool:
    wanted = floors(measured, plan, service)
    parts = [tables(measured, plan, service), floor_block(wanted), bullets(facts), *missing]
    figures = as_json(measured, service) | {"facts": dict(facts), "missing": list(missing)}
    return publish(folder, "library", parts, figures, wanted)


def main() -> int:
    """Measures, writes the results, and fails where a floor is not reached."""
    options = _arguments()
    if not PEER_PYTHON.exists():
        print("No .venv-bench here: `benchmarks/bench-library` makes it.", file=sys.stderr)
        return 1
    plan = _TRIAL if options.trial else Plan(rounds=options.rounds)
    wanted = options.only.lower()
    present = [one for one in contenders() if one.name in (OURS, NUMPY) or wanted in one.name.lower()]
    machine = description(_PACKAGES)
    print(f"{', '.join(one.name for one in present)}; {plan.rounds} rounds", flush=True)
    before = CpuTimes.now()
    # On the disk of the project: /tmp may be memory.
    with (
        TemporaryDirectory(prefix="library-", dir=ROOT / ".venv-bench") as folder,
        _postgres(present) as host,
    ):
        measured = contest(present, plan, Path(folder), host)
        if options.no_service:
            service, missing = Service(), ["The service was left out."]
        else:
            service, missing = measure_service(plan, Path(folder))
    missing += [f"Not compared: {reason}" for reason in measured.absent.values()]
    machine["other work meanwhile"] = f"{before.others_share(CpuTimes.now()):.0%} of the cores"
    versions = {name: str(told["ready"]) for (name, _), told in measured.filled.items()}
    facts = {"rounds": str(plan.rounds), **versions, **machine}
    reached = _publish(options.results, measured, plan, service=service, facts=facts, missing=missing)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
