"""Writes the measured table of `docs/guides/reading-profiles.md` from the last `make bench-ocr`.

Run by `make gen`; `--check` fails when the table is not that of `benchmarks/results/ocr.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.report import table  # noqa: E402 - benchmarks are no package of the environment

RESULTS = ROOT / "benchmarks" / "results" / "ocr.json"
OUTPUT = ROOT / "docs" / "guides" / "reading-profiles.md"
BEGIN = "<!-- figures of benchmarks/results/ocr.json: `make gen` -->\n"
END = "<!-- end of figures -->\n"
PROFILES = ("fast", "balanced", "balanced-int8", "accurate")
PEERS = ("faster-paddle tiny", "faster-paddle small", "rapidocr", "tesseract")
HEAD = (
    "",
    "ms, one at a time",
    "ms, two at once",
    "CER",
    "CER, pages",
    "CER, receipts",
    "word F1",
    "first field",
)


def main() -> int:
    """Writes the table, or with `--check` compares it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the table is stale")
    check = parser.parse_args().check
    before = OUTPUT.read_text(encoding="utf-8")
    after = with_figures(before, json.loads(RESULTS.read_text(encoding="utf-8")))
    if not check:
        OUTPUT.write_text(after, encoding="utf-8")
    elif before != after:
        print(f"stale: {OUTPUT.relative_to(ROOT)}: run `make gen` and commit the result", file=sys.stderr)
        return 1
    return 0


def with_figures(page: str, results: Mapping[str, Any]) -> str:
    """The page with the figures of a run between its two marks.

    Raises:
        ValueError: the page has no place for them.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{OUTPUT.name} has no place for figures")
    return f"{head}{BEGIN}\n{figures(results)}\n\n{END}{tail}"


def figures(results: Mapping[str, Any]) -> str:
    """A row for each profile and peer, then what was read on which machine."""
    by_name = {engine["name"]: engine for engine in results["engines"]}
    rows = [
        _row(label, by_name[name])
        for label, name in (
            *((f"`{profile}`", f"vidence {profile}") for profile in PROFILES),
            *((peer, peer) for peer in PEERS),
        )
        if name in by_name
    ]
    setting, machine = results["setting"], results["machine"]
    read = f"{setting['pictures']}, {setting['rounds']} rounds"
    return f"{table(HEAD, rows)}\n\n{read}; {machine['processor']}, {machine['cores']} cores."


def _row(label: str, engine: Mapping[str, Any]) -> list[str]:
    first = engine["first_line_share"]
    kinds = engine["by_kind"]
    return [
        label,
        f"{engine['single_s'] * 1000:.0f}",
        f"{engine['pair_s'] * 1000:.0f}",
        f"{engine['character_error_rate']:.4f}",
        *(f"{kinds[kind][0]:.4f}" if kind in kinds else "–" for kind in ("page", "receipt")),
        f"{engine['word_f1']:.3f}",
        f"{first:.0%}" if first is not None else "–",
    ]


if __name__ == "__main__":
    sys.exit(main())
