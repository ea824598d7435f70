"""Tells what came of a run: a table for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidence_cli.smoke.outcome import Outcome, Verdict

_STYLES = {Verdict.OK: ("✓", "green"), Verdict.ABSENT: ("–", "dim"), Verdict.FAILED: ("✗", "bold red")}


def as_json(outcomes: Sequence[Outcome], took_s: float) -> dict[str, Any]:
    """Gives the run as one object."""
    return {
        "ok": all_well(outcomes),
        "took_s": round(took_s, 3),
        "probes": [
            {
                "service": one.service,
                "what": one.what,
                "verdict": one.verdict.value,
                "took_s": round(one.took_s, 3),
                "told": one.told,
            }
            for one in outcomes
        ],
    }


def tell(console: Console, outcomes: Sequence[Outcome], took_s: float) -> None:
    """Writes the table and the sum."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "service", "asked", "s", ""):
        table.add_column(heading, justify="right" if heading == "s" else "left", overflow="fold")
    for one in outcomes:
        sign, style = _STYLES[one.verdict]
        told = Text(one.told, style="red" if one.verdict is Verdict.FAILED else "dim")
        table.add_row(Text(sign, style=style), one.service, one.what, f"{one.took_s:.2f}", told)
    console.print(table)
    failed = sum(one.verdict is Verdict.FAILED for one in outcomes)
    console.print(f"{len(outcomes)} asked, {failed} failed, {took_s:.1f} s")


def all_well(outcomes: Sequence[Outcome]) -> bool:
    """Whether nothing failed."""
    return not any(one.verdict is Verdict.FAILED for one in outcomes)
