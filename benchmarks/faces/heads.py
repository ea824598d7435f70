"""Computer-made heads, and attacks on liveness: reported one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.faces.pipeline import FacePipeline
from benchmarks.report import table
from vidence_server.vision.faces.embedding import similarity
from vidence_server.vision.faces.face import HeadPose, Template


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A rendered head: what was seen of it."""

    name: str
    faces: int
    pose: HeadPose
    quality: int
    template: Template


@dataclass(frozen=True, slots=True)
class SpoofPicture:
    """A picture whose name says whether it is an attack."""

    name: str
    live: bool
    score: float | None
    """None where no face was found."""

    def right(self, threshold: float) -> bool:
        """Whether a threshold judges it rightly."""
        return self.score is not None and (self.score >= threshold) is self.live


async def heads(pipeline: FacePipeline, folder: Path) -> tuple[list[Head], list[str]]:
    """The largest face of each picture, and the names of pictures in which none was found."""
    found, missing = [], []
    for path in pipeline.pictures(folder, "*.jpg"):
        pixels = pipeline.pixels(path)
        faces = await pipeline.analyser.detect(pixels)
        if not faces:
            missing.append(path.stem)
            continue
        face = faces[0]
        pose = await pipeline.analyser.pose(pixels, face)
        outline = await pipeline.analyser.contour(pixels, face)
        quality = await pipeline.analyser.quality(pixels, face, pose=pose, outline=outline)
        (template,) = await pipeline.analyser.embed(pixels, [face])
        found.append(Head(path.stem, len(faces), pose, quality.unified, template))
    return found, missing


async def spoofs(pipeline: FacePipeline, folder: Path) -> list[SpoofPicture]:
    """The liveness of each picture; names with a T are live, with an F attacks."""
    found = []
    for path in pipeline.pictures(folder, "*.jpg"):
        pixels = pipeline.pixels(path)
        faces = await pipeline.analyser.detect(pixels)
        score = await pipeline.analyser.liveness(pixels, faces[0]) if faces else None
        found.append(SpoofPicture(path.stem, "_T" in path.stem, score))
    return found


def heads_table(found: list[Head]) -> str:
    """Pose, quality, and likeness to the most frontal picture of the same head, where there are several."""
    several = [head for head in found if "multiangle" in head.name]
    front = min(several, key=lambda head: abs(head.pose.yaw_deg), default=None)
    return table(
        ("picture", "faces", "yaw", "pitch", "roll", "quality", "like the frontal one"),
        (
            (
                head.name,
                str(head.faces),
                *(f"{angle:+.0f}°" for angle in (head.pose.yaw_deg, head.pose.pitch_deg, head.pose.roll_deg)),
                str(head.quality),
                f"{similarity(front.template, head.template):.2f}" if front and head in several else "",
            )
            for head in found
        ),
    )


def spoofs_table(found: list[SpoofPicture], threshold: float) -> str:
    """Score and verdict of each picture."""
    return table(
        ("picture", "is", "score", "verdict"),
        (
            (
                picture.name,
                "live" if picture.live else "attack",
                "no face" if picture.score is None else f"{picture.score:.3f}",
                "right" if picture.right(threshold) else "WRONG",
            )
            for picture in found
        ),
    )
