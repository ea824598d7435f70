"""What is read in the benchmark: rendered pages, and real receipts where there are some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.ocr.metrics import Line
from benchmarks.ocr.pages import page
from benchmarks.real_data import real_data


@dataclass(frozen=True, slots=True)
class Picture:
    """A file and the truth about it."""

    path: Path
    kind: str
    """`page` or `receipt`."""
    lines: tuple[Line, ...]


def pictures(folder: Path, *, pages: int, receipts: int) -> list[Picture]:
    """Renders pages into `folder`; takes the first receipts by name, none where there are none."""
    found = []
    for seed in range(pages):
        rendered = page(seed)
        path = folder / f"page-{seed:02d}.jpg"
        path.write_bytes(rendered.content)
        found.append(Picture(path, "page", rendered.lines))
    real = real_data("receipts")
    paths = sorted(real.glob("*.jpg"))[:receipts] if real else []
    return found + [Picture(path, "receipt", receipt_lines(_truth(path))) for path in paths]


def receipt_lines(table: str) -> tuple[Line, ...]:
    """Lines of a truth file: x and y of four corners, then the text, which may hold commas itself."""
    lines = []
    for row in table.splitlines():
        *corners, text = row.split(",", 8)
        if len(corners) < 8:
            continue
        xs, ys = [float(x) for x in corners[::2]], [float(y) for y in corners[1::2]]
        lines.append(Line(text, (min(xs), min(ys), max(xs), max(ys))))
    return tuple(lines)


def _truth(path: Path) -> str:
    return path.with_suffix(".csv").read_text(encoding="utf-8", errors="replace")
