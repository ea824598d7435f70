"""`make eval`: how surely faces are told apart. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faces.heads import heads, heads_table, spoofs, spoofs_table
from benchmarks.faces.lfw import DEGRADATIONS, THRESHOLDS, Pairs, cross_pairs, pairs, portraits, rates_table
from benchmarks.faces.pipeline import FacePipeline, open_faces
from benchmarks.machine import description
from benchmarks.real_data import ROOT, absence, real_data
from benchmarks.report import Floor, bullets, table
from vidence_server.face.settings import FaceSettings
from vidence_server.vision.faces.profile import EMBEDDER

RESULTS = ROOT / "benchmarks" / "results"
PUBLISHED = ROOT / "services" / "vidence_server" / "face" / "thresholds.json"
DEFAULT_THRESHOLD = 0.40

LIMITS = (
    "Measured on ten people, all men, all public figures; most are older than 40.",
    "Nothing is known of false accept rates below 0.1 %: there were 4,500 pairs of different people.",
    "Nothing is known of differences by age, sex or skin colour.",
    "The pictures are press photographs; portraits printed on documents were not measured.",
    "The threshold was chosen on the same pairs that it is measured on.",
)
"""What the figures do not say; published with them."""


@dataclass(slots=True)
class Report:
    """What was found, as text, as figures and as floors."""

    text: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    floors: list[Floor] = field(default_factory=list)

    def add(self, title: str, body: str) -> None:
        """Appends a section and prints it."""
        section = f"### {title}\n\n{body}"
        self.text.append(section)
        print(f"\n{section}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eval_faces.py", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--publish", action="store_true", help="write the table of thresholds that the service ships"
    )
    return parser.parse_args()


async def _evaluate(options: argparse.Namespace) -> bool:
    report = Report()
    faces, attacks = real_data("faces"), real_data("spoof")
    async with open_faces() as pipeline:
        if faces is None:
            report.add("Faces", absence("faces"))
        else:
            found = await _people(pipeline, faces / "lfw", report)
            if options.publish:
                _publish(found, pipeline.embedder_version)
            await _heads(pipeline, faces / "rendered", report)
        if attacks is None:
            report.add("Attacks", absence("spoof"))
        else:
            await _attacks(pipeline, attacks, report)
    report.add("Floors", "```\n" + "\n".join(map(str, report.floors)) + "\n```")
    _write(options.results, report)
    return all(floor.reached for floor in report.floors)


async def _people(pipeline: FacePipeline, folder: Path, report: Report) -> Pairs:
    clean, missing = await portraits(pipeline, folder)
    found = pairs(clean)
    errors = found.errors(DEFAULT_THRESHOLD)
    report.add(
        f"LFW: {len(clean)} portraits, {len(found.same)} + {len(found.different)} pairs",
        f"{rates_table(found)}\n\n"
        f"AUC {found.area_under_curve:.6f}; least alike pair of one person {found.same.min():.3f}, most "
        f"alike pair of two {found.different.max():.3f}. Faces not found: {', '.join(missing) or 'none'}.",
    )
    degraded: dict[str, Mapping[str, object]] = {}
    for name, change in DEGRADATIONS.items():
        spoilt, lost = await portraits(pipeline, folder, change)
        crossed = cross_pairs(clean, spoilt)
        degraded[name] = {
            "lost": len(lost),
            "false_accepts": crossed.false_accepts(DEFAULT_THRESHOLD),
            "different": len(crossed.different),
            "false_rejects": crossed.false_rejects(DEFAULT_THRESHOLD),
            "same": len(crossed.same),
        }
    report.add(
        f"The same with one picture of each pair spoilt, at {DEFAULT_THRESHOLD}",
        table(
            ("spoilt by", "faces lost", "false accepts", "of", "false rejects", "of"),
            ((name, *map(str, counts.values())) for name, counts in degraded.items()),
        ),
    )
    report.figures["lfw"] = {
        "portraits": len(clean),
        "missing": missing,
        "errors_at_default": errors,
        "default_threshold": DEFAULT_THRESHOLD,
        "area_under_curve": found.area_under_curve,
        "least_same": float(found.same.min()),
        "most_different": float(found.different.max()),
        "degraded": degraded,
    }
    report.floors += [
        Floor("LFW: portraits found", len(clean), 100),
        Floor(f"LFW: errors in {len(found.same) + len(found.different)} pairs", errors, 0, at_most=True),
    ]
    return found


async def _heads(pipeline: FacePipeline, folder: Path, report: Report) -> None:
    found, missing = await heads(pipeline, folder)
    report.add("Rendered heads", f"{heads_table(found)}\n\nFaces not found: {', '.join(missing) or 'none'}.")
    report.figures["rendered"] = {
        head.name: {"yaw": head.pose.yaw_deg, "pitch": head.pose.pitch_deg, "quality": head.quality}
        for head in found
    }
    report.floors.append(Floor("rendered heads without a face", len(missing), 0, at_most=True))


async def _attacks(pipeline: FacePipeline, folder: Path, report: Report) -> None:
    threshold = FaceSettings().liveness_threshold
    found = await spoofs(pipeline, folder)
    report.add(
        f"Liveness of single pictures, at {threshold}; indicative, not certified PAD",
        spoofs_table(found, threshold),
    )
    report.figures["spoof"] = {picture.name: picture.score for picture in found}
    right = sum(picture.right(threshold) for picture in found)
    report.floors.append(Floor("spoof pictures judged rightly", right, len(found)))


def _publish(found: Pairs, version: str) -> None:
    rates: Sequence[tuple[float, int, int]] = [
        (threshold, found.false_accepts(threshold), found.false_rejects(threshold))
        for threshold in THRESHOLDS
    ]
    lines = ",\n    ".join(json.dumps(entry) for entry in rates)
    head = {
        "model": EMBEDDER,
        "version": version,
        "default": DEFAULT_THRESHOLD,
        "data": "100 photographs of 10 people of Labelled Faces in the Wild (the subset of "
        "krasserm/face-recognition): every pair once",
        "same_pairs": len(found.same),
        "different_pairs": len(found.different),
        "limits": LIMITS,
    }
    text = json.dumps(head, indent=2, ensure_ascii=False).rstrip("}\n")
    PUBLISHED.write_text(f'{text},\n  "rates": [\n    {lines}\n  ]\n}}\n', encoding="utf-8")
    print(f"\nWritten to {PUBLISHED}")


def _write(folder: Path, report: Report) -> None:
    machine = description()
    folder.mkdir(parents=True, exist_ok=True)
    figures = {**report.figures, "limits": LIMITS, "machine": machine}
    (folder / "faces.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    limits = "\n".join(f"- {limit}" for limit in LIMITS)
    text = [*report.text, f"### What these figures do not say\n\n{limits}", bullets(machine)]
    (folder / "faces.md").write_text("\n\n".join(text) + "\n")
    print(f"\nWritten to {folder}/faces.md and faces.json")


def main() -> int:
    """Evaluates, writes the results, and fails where a floor is not reached."""
    return 0 if asyncio.run(_evaluate(_arguments())) else 1
