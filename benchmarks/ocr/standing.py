"""From what was measured to the figures that are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import median

from benchmarks.ocr.contest import Entry, Measured
from benchmarks.ocr.entries import BALANCED, DIRECT, REFERENCE, SMALL_PEER, STREAMED
from benchmarks.ocr.pictures import Picture
from benchmarks.report import Floor, table

_ONE_BY_ONE = "its defaults, one at a time (faster than two processes)"


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the table. Seconds are per picture, medians of the rounds."""

    name: str
    version: str
    single_s: float
    single_ratio: float
    """Speed relative to rapidocr one at a time: median over the rounds of its time / this time."""
    pair_s: float
    pair_ratio: float
    """The same with two in flight, each in its best mode."""
    pair_mode: str
    character_error_rate: float
    word_f1: float
    by_kind: Mapping[str, tuple[float, float]]
    """Character error rate and word F1 by kind of picture."""
    first_line_share: float = float("nan")
    """From the call to the first line, as a share of the whole reading: mean; NaN where the engine tells only
    whole pictures."""


def standings(
    entries: Sequence[Entry], measured: Sequence[Measured], pictures: Sequence[Picture]
) -> list[Standing]:
    """The figures of all engines, in the order of the entries."""
    times = [
        (result.single_s, *(best_pair(result) if entry.is_peer else (result.pair_s, False)))
        for entry, result in zip(entries, measured, strict=True)
    ]
    names = [entry.name for entry in entries]
    reference = times[names.index(REFERENCE)] if REFERENCE in names else None
    kinds = sorted({picture.kind for picture in pictures})
    rows = []
    for entry, result, (single, pair, alone) in zip(entries, measured, times, strict=True):
        by_kind = {kind: result.accuracy(pictures, kind) for kind in kinds}
        whole = result.accuracy(pictures)
        rows.append(
            Standing(
                entry.name,
                entry.alone.version,
                median(single) / len(pictures),
                ratio(reference[0], single) if reference else float("nan"),
                median(pair) / len(pictures),
                ratio(reference[1], pair) if reference else float("nan"),
                _ONE_BY_ONE if alone else entry.pair_mode,
                whole.character_error_rate,
                whole.word_f1,
                {kind: (found.character_error_rate, found.word_f1) for kind, found in by_kind.items()},
                result.extra.get("first_line_share", float("nan")) / len(pictures) / len(single),
            )
        )
    return rows


def best_pair(result: Measured) -> tuple[list[float], bool]:
    """Seconds per round with two pictures at hand: as a pair, or one by one (True) where that is faster."""
    alone = median(result.single_s) < median(result.pair_s)
    return (result.single_s if alone else result.pair_s), alone


def ratio(reference_s: Sequence[float], own_s: Sequence[float]) -> float:
    """Median over the rounds of how many times as fast as the reference."""
    return median(theirs / own for theirs, own in zip(reference_s, own_s, strict=True))


@dataclass(frozen=True, slots=True)
class Inside:
    """Where the time of our own pipeline goes, one picture at a time."""

    session_s: float
    """Seconds of model runs per picture, summed over the workers."""
    session_share: float
    """Of all work in the workers."""
    bound_s: float
    """Seconds per picture if nothing but model runs were done, with all workers always busy."""
    busy: float
    """Share of the workers' time, from the call to its end, that is model runs."""
    overhead: float
    """gRPC + streaming over the direct call, minus 1: median of the rounds."""
    overhead_pair: float
    first_line_s: float
    """From the call to the first line over gRPC."""
    same_text: bool
    """Whether both read the same on every picture."""


def inside(direct: Measured, streamed: Measured, pictures: int) -> Inside:
    """Figures of our own pipeline.

    Args:
        direct: called directly.
        streamed: over gRPC.
        pictures: how many there were.
    """
    reads = pictures * len(direct.single_s)
    workers = direct.extra["workers"] / reads
    session, call = direct.extra["session_seconds"], direct.extra["call_seconds"]
    texts = [
        [[line.text for line in result.answers[path].lines] for path in direct.answers]
        for result in (direct, streamed)
    ]
    return Inside(
        session_s=session / reads,
        session_share=session / (session + call),
        bound_s=session / reads / workers,
        busy=session / workers / sum(direct.single_s),
        overhead=1 / ratio(direct.single_s, streamed.single_s) - 1,
        overhead_pair=1 / ratio(direct.pair_s, streamed.pair_s) - 1,
        first_line_s=streamed.extra["first_line_seconds"] / reads,
        same_text=texts[0] == texts[1],
    )


def floors(rows: Sequence[Standing], own: Inside) -> list[Floor]:
    """What must hold; figures of a reference that is missing are NaN and do not hold."""
    by_name = {row.name: row for row in rows}
    ours = by_name[DIRECT]
    reference = by_name.get(REFERENCE)
    return [
        Floor(f"speed / {REFERENCE}, one at a time", ours.single_ratio, 1.5),
        Floor(f"speed / {REFERENCE}, two at once", ours.pair_ratio, 2.0),
        Floor(
            f"character error rate − {REFERENCE}'s",
            ours.character_error_rate - (reference.character_error_rate if reference else float("nan")),
            0.0,
            at_most=True,
        ),
        *_profile_floors(by_name),
        Floor("overhead of gRPC + streaming", own.overhead, 0.10, at_most=True),
        Floor("gRPC reads the same text", float(own.same_text), 1.0),
    ]


def _profile_floors(rows: Mapping[str, Standing]) -> list[Floor]:
    """What `balanced` owes beside the peer with the same models, and how soon a reader sees something."""
    ours, peer = rows.get(BALANCED), rows.get(SMALL_PEER)
    speed = peer.pair_s / ours.pair_s if ours and peer else float("nan")
    errors = ours.character_error_rate / peer.character_error_rate if ours and peer else float("nan")
    shares = [rows[name].first_line_share if name in rows else float("nan") for name in (BALANCED, STREAMED)]
    return [
        Floor(f"speed of {BALANCED} / {SMALL_PEER}, two at once", speed, 3.0),
        Floor(f"character error rate of {BALANCED} / {SMALL_PEER}'s", errors, 1.25, at_most=True),
        Floor(f"first field / whole reading, {BALANCED}", shares[0], 0.4, at_most=True),
        Floor("first field / whole reading, over gRPC", shares[1], 0.4, at_most=True),
    ]


def standings_table(rows: Sequence[Standing]) -> str:
    """The figures as Markdown."""
    kinds = list(rows[0].by_kind)
    head = [
        "engine",
        *("ms, one at a time", "speed", "ms, two at once", "speed", "CER", "word F1", "first field"),
        *(f"{figure}, {kind}s" for kind in kinds for figure in ("CER", "word F1")),
    ]
    return table(
        head,
        (
            [
                row.name,
                f"{row.single_s * 1000:.0f}",
                f"{row.single_ratio:.2f}",
                f"{row.pair_s * 1000:.0f}",
                f"{row.pair_ratio:.2f}",
                f"{row.character_error_rate:.4f}",
                f"{row.word_f1:.3f}",
                f"{row.first_line_share:.0%}" if isfinite(row.first_line_share) else "–",
                *(text for cer, f1 in row.by_kind.values() for text in (f"{cer:.4f}", f"{f1:.3f}")),
            ]
            for row in rows
        ),
    )


def facts(own: Inside, rows: Sequence[Standing]) -> dict[str, str]:
    """The figures of our own pipeline in words."""
    reference = next((row for row in rows if row.name == REFERENCE), None)
    bound = f" ({reference.single_s / own.bound_s:.2f} × {REFERENCE})" if reference else ""
    return {
        "raw session time": f"{own.session_s * 1000:.0f} ms of model runs per picture over all workers",
        "lower bound": f"{own.bound_s * 1000:.0f} ms a picture if nothing but model runs were done{bound}",
        "sessions' share of the work": f"{own.session_share:.1%}",
        "workers busy with model runs": f"{own.busy:.1%} of the time, one picture at a time",
        "gRPC + streaming": f"{own.overhead:+.1%} one at a time, {own.overhead_pair:+.1%} two at once",
        "first line over gRPC": f"after {own.first_line_s * 1000:.0f} ms (mean)",
        "text over gRPC": "the same as called directly" if own.same_text else "DIFFERS from the direct call",
    }


def as_json(rows: Sequence[Standing], own: Inside) -> dict[str, object]:
    """The figures for programs."""
    return {"engines": [asdict(row) for row in rows], "own": asdict(own)}


def of(name: str, entries: Sequence[Entry], measured: Sequence[Measured]) -> Measured:
    """What one engine did, by its name."""
    return measured[[entry.name for entry in entries].index(name)]


def own_pipeline(entries: Sequence[Entry], measured: Sequence[Measured], pictures: int) -> Inside:
    """`inside` of the two ways to call our pipeline."""
    return inside(of(DIRECT, entries, measured), of(STREAMED, entries, measured), pictures)
