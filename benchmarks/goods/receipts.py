"""Receipts: company, address, date and total beside the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from random import Random

from rapidfuzz import fuzz

from benchmarks.ours import Pipeline
from benchmarks.report import Floor, table
from rendering.degrade import Degradation, degrade
from rendering.receipts import STYLES, random_receipt, render_receipt
from vidence_server.extraction.types.written_dates import dates_of

KEYS = {
    "company": "merchant.name",
    "date": "receipt.date",
    "address": "merchant.address",
    "total": "receipt.total",
}
FLOORS = {"total": 17 / 20, "date": 18 / 20, "company": 16 / 20, "address": 13 / 20}
"""Share of the pictures whose value must be right."""
LIKENESS = {"company": 90.0, "address": 80.0}
"""Likeness to the truth (0–100, `rapidfuzz.fuzz.ratio`) from which a text counts as right."""
_SPOILT = {
    "as it is": Degradation(),
    "photographed": Degradation(tilt_degrees=-2, blur_px=0.7, noise=5, jpeg_quality=70),
}


@dataclass(frozen=True, slots=True)
class ReceiptCase:
    """A picture and the truth about it, by the names of `KEYS`."""

    name: str
    content: bytes
    truth: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """What became of one picture."""

    name: str
    right: frozenset[str]
    misses: tuple[str, ...]
    proved: bool
    """Whether the total is proved by what was paid or by the positions."""


def real_cases(folder: Path) -> list[ReceiptCase]:
    """Pictures with a `.json` beside them."""
    return [
        ReceiptCase(path.name, path.read_bytes(), json.loads(path.with_suffix(".json").read_text()))
        for path in sorted(folder.glob("*.jpg"))
    ]


def rendered_cases(count: int) -> Iterator[ReceiptCase]:
    """Every style of made-up receipts, clean and as a phone sees it; seeded."""
    for style in STYLES:
        for number in range(count):
            receipt = random_receipt(Random(f"{style} {number}"))
            for how, spoilt in _SPOILT.items():
                content = degrade(render_receipt(receipt, style), spoilt, number)
                yield ReceiptCase(f"{style} {number} {how}", content, receipt.truth)


async def judge(pipeline: Pipeline, case: ReceiptCase, today: date) -> ReceiptVerdict:
    """Reads one receipt, told that it is one."""
    document = await pipeline.read(case.content, "receipt")
    fields = {field.key: field for field in document.fields if field.index == 0}
    right, misses = set(), []
    for name, key in KEYS.items():
        read = fields[key].value if key in fields else ""
        if is_right(name, case.truth[name], read, today):
            right.add(name)
        else:
            misses.append(f"{name} is {case.truth[name]!r}, read {read!r}")
    total = fields.get("receipt.total")
    proved = total is not None and total.validation.verdict.value == "VALID"
    return ReceiptVerdict(case.name, frozenset(right), tuple(misses), proved)


def is_right(name: str, truth: str, read: str, today: date) -> bool:
    """Dates and totals by value; company and address by likeness."""
    if name == "date":
        return any(found.day.isoformat() == read for found in dates_of(truth, today))
    if name == "total":
        try:
            return bool(read) and Decimal(read) == Decimal(re.sub(r"[^\d.-]", "", truth))
        except InvalidOperation:
            return False
    return fuzz.ratio(_plain(truth), _plain(read)) >= LIKENESS[name]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.casefold()).strip()


def receipts_table(verdicts: Sequence[ReceiptVerdict]) -> str:
    """What is right by picture, as Markdown."""
    rows = [
        [one.name, *("1" if name in one.right else "0" for name in KEYS), "1" if one.proved else "0"]
        for one in verdicts
    ]
    sums = [str(sum(name in one.right for one in verdicts)) for name in KEYS]
    rows.append([f"all {len(verdicts)}", *sums, str(sum(one.proved for one in verdicts))])
    return table(["receipt", *KEYS, "total proved"], rows)


def floors(verdicts: Sequence[ReceiptVerdict], what: str) -> list[Floor]:
    """The share of pictures with each value right."""
    count = max(1, len(verdicts))
    return [
        Floor(f"{what}: {name}", sum(name in one.right for one in verdicts) / count, least)
        for name, least in FLOORS.items()
    ]
