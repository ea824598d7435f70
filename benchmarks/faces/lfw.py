"""Labelled Faces in the Wild: how often faces of one person, and of two, are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.faces.pipeline import FacePipeline
from benchmarks.report import table
from vidence_server.vision.faces.face import Template
from vidence_server.vision.image import Pixels

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(81))
SHOWN = (0.2, 0.25, 0.3, 0.33, 0.363, 0.38, 0.4, 0.42, 0.45, 0.5, 0.55, 0.6)


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture of a person, and the face in it as numbers."""

    person: str
    name: str
    template: Template


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Similarities of pairs, by whether both faces are one person's."""

    same: npt.NDArray[np.float64]
    different: npt.NDArray[np.float64]

    def false_accepts(self, threshold: float) -> int:
        """Pairs of different people that reach a threshold."""
        return int((self.different >= threshold).sum())

    def false_rejects(self, threshold: float) -> int:
        """Pairs of one person that do not."""
        return int((self.same < threshold).sum())

    def errors(self, threshold: float) -> int:
        """Both kinds together."""
        return self.false_accepts(threshold) + self.false_rejects(threshold)

    @property
    def area_under_curve(self) -> float:
        """Probability that a pair of one person is more alike than a pair of two (Mann-Whitney)."""
        ranks = np.searchsorted(np.sort(self.different), self.same, side="left")
        return float(ranks.mean() / len(self.different))


def _jpeg(pixels: Pixels) -> Pixels:
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 20])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _small(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA), np.uint8)


def _dark(pixels: Pixels) -> Pixels:
    return (pixels * 0.25).astype(np.uint8)


def _turned(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1.0)
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height)), np.uint8)


DEGRADATIONS: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType(
    {
        "JPEG quality 20": _jpeg,
        "faces of about 28 px": _small,
        "a quarter of the light": _dark,
        "turned by 20°": _turned,
    }
)


async def portraits(
    pipeline: FacePipeline, folder: Path, change: Callable[[Pixels], Pixels] | None = None
) -> tuple[list[Portrait], list[str]]:
    """All faces of a folder `person/*.jpg`, and the names of pictures in which none was found."""
    found, missing = [], []
    for path in pipeline.pictures(folder, "*/*.jpg"):
        pixels = pipeline.pixels(path)
        pixels = pixels if change is None else change(pixels)
        face = await pipeline.central_face(pixels)
        if face is None:
            missing.append(path.stem)
            continue
        (template,) = await pipeline.analyser.embed(pixels, [face])
        found.append(Portrait(path.parent.name, path.stem, template))
    return found, missing


def pairs(portraits: Sequence[Portrait]) -> Pairs:
    """Every pair once."""
    return _sorted_pairs(combinations(portraits, 2))


def cross_pairs(clean: Sequence[Portrait], spoilt: Sequence[Portrait]) -> Pairs:
    """Every clean picture with every spoilt one of another photograph."""
    return _sorted_pairs((one, other) for one in clean for other in spoilt if one.name != other.name)


def _sorted_pairs(all_pairs: Iterator[tuple[Portrait, Portrait]]) -> Pairs:
    same: list[float] = []
    different: list[float] = []
    for one, other in all_pairs:
        alike = float(np.dot(one.template.vector, other.template.vector))
        (same if one.person == other.person else different).append(alike)
    return Pairs(np.array(same), np.array(different))


def rates_table(found: Pairs) -> str:
    """False accepts and false rejects at some thresholds."""
    return table(
        ("threshold", "false accepts", "FAR", "false rejects", "FRR"),
        (
            (
                f"{threshold:.3g}",
                str(found.false_accepts(threshold)),
                f"{found.false_accepts(threshold) / len(found.different):.2%}",
                str(found.false_rejects(threshold)),
                f"{found.false_rejects(threshold) / len(found.same):.2%}",
            )
            for threshold in SHOWN
        ),
    )
