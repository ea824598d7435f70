"""Answers of the face service as tables."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vidence.face.v1 import face_pb2, face_service_pb2
from vidence_cli.live import plain

_GOOD = 70
_FAIR = 40


def faces_table(answer: face_service_pb2.DetectFacesResponse) -> RenderableType:
    """One row per face."""
    if not answer.faces:
        return Text("no face", style="dim")
    table = _table("face", "left", "top", "width", "height", "eyes apart", "yaw", "roll", "confidence")
    for number, face in enumerate(answer.faces, start=1):
        eyes = face.landmarks
        apart = ((eyes.left_eye.x - eyes.right_eye.x) ** 2 + (eyes.left_eye.y - eyes.right_eye.y) ** 2) ** 0.5
        table.add_row(
            str(number),
            *(f"{side:.0f}" for side in (face.box.left, face.box.top, face.box.width, face.box.height)),
            f"{apart:.0f} px",
            f"{face.pose.yaw_deg:+.0f}°",
            f"{face.pose.roll_deg:+.0f}°",
            f"{face.confidence:.2f}",
        )
    return table


def quality_table(answer: face_service_pb2.AssessQualityResponse) -> RenderableType:
    """One row per component, and the unified score."""
    table = _table("component", "value", "unit", "score")
    for component in answer.quality.components:
        name = face_pb2.QualityMeasure.Name(component.measure).removeprefix("QUALITY_MEASURE_").lower()
        rough = " ~" if component.estimated else ""
        table.add_row(
            name.replace("_", " ") + rough,
            f"{component.value:.3g}",
            plain(component.unit),
            _score(component.score),
        )
    table.add_row(Text("unified", style="bold"), "", "", _score(answer.quality.unified_score))
    return table


def comparison_table(answer: face_service_pb2.CompareFacesResponse) -> RenderableType:
    """Verdict, similarity, and how often the threshold was wrong."""
    match = answer.verdict == face_service_pb2.MATCH_VERDICT_MATCH
    table = _table("", "")
    table.show_header = False
    table.add_row(
        "verdict", Text("match" if match else "no match", style="bold green" if match else "bold red")
    )
    table.add_row("similarity", f"{answer.similarity:.3f}")
    table.add_row("threshold", f"{answer.threshold:.3f}")
    if answer.HasField("rates"):
        table.add_row("false accepts", _rate(answer.rates.false_accept))
        table.add_row("false rejects", _rate(answer.rates.false_reject))
    else:
        table.add_row("error rates", "not measured")
    for name, compared in (("reference", answer.reference), ("probe", answer.probe)):
        table.add_row(f"quality of the {name}", _score(compared.quality.unified_score))
    table.add_row("model", plain(f"{answer.model}@{answer.version}"))
    return table


def liveness_table(answer: face_service_pb2.CheckLivenessResponse) -> RenderableType:
    """Verdict and mean, then each frame."""
    word = face_service_pb2.LivenessVerdict.Name(answer.verdict).removeprefix("LIVENESS_VERDICT_")
    judged = sum(frame.HasField("score") for frame in answer.frames)
    told = Text.assemble(
        (word.replace("_", " ").lower(), "bold"),
        f"  mean {answer.score:.3f}, threshold {answer.threshold:.2f}, ",
        f"{judged} of {answer.min_frames} frames",
        (f"  {plain(answer.label)}", "dim"),
    )
    table = _table("frame", "score", "why not")
    for number, frame in enumerate(answer.frames, start=1):
        table.add_row(
            str(number), f"{frame.score:.3f}" if frame.HasField("score") else "–", plain(frame.reason)
        )
    return Group(told, table)


def thresholds_table(answer: face_service_pb2.ListThresholdsResponse) -> RenderableType:
    """One row per threshold, the default marked; then what is not known."""
    table = _table("threshold", "false accepts", "false rejects")
    for rates in answer.rates:
        default = abs(rates.threshold - answer.default_threshold) < 1e-6
        table.add_row(
            f"{rates.threshold:.2f}{' *' if default else ''}",
            _rate(rates.false_accept),
            _rate(rates.false_reject),
            style="bold" if default else None,
        )
    words = [plain(f"{answer.model}@{answer.version}: {answer.data}"), *map(plain, answer.limits)]
    return Group(table, Text("\n".join(words), style="dim"))


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index and len(columns) > 2 else "left", no_wrap=True)
    return table


def _score(score: int) -> Text:
    style = "green" if score >= _GOOD else "yellow" if score >= _FAIR else "red"
    return Text(str(score), style=style)


def _rate(rate: face_pb2.ErrorRate) -> str:
    return f"{rate.rate:.2%} (≤ {rate.upper_bound:.2%}; {rate.errors} of {rate.trials})"
