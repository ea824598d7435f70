"""What is known of a face in a picture. Left and right are the person's own, not those of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees

import numpy as np
import numpy.typing as npt

from vidence_server.vision.geometry import Point


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in px of the picture; it may reach beyond the picture."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where the right side is, px."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Where the lower side is, px."""
        return self.top + self.height

    @property
    def centre(self) -> Point:
        """The middle."""
        return Point(self.left + self.width / 2, self.top + self.height / 2)

    @property
    def area(self) -> float:
        """Width × height, px²."""
        return self.width * self.height

    def grown(self, factor: float) -> Box:
        """The box with the same centre and `factor` times the sides."""
        width, height = self.width * factor, self.height * factor
        return Box(self.centre.x - width / 2, self.centre.y - height / 2, width, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0–1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, across) * max(0.0, down)
        whole = self.area + other.area - shared
        return shared / whole if whole > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Five points of a face."""

    right_eye: Point
    left_eye: Point
    nose: Point
    right_mouth: Point
    left_mouth: Point

    @property
    def points(self) -> tuple[Point, Point, Point, Point, Point]:
        """The points in the order of the detector and of the embedder's template."""
        return (self.right_eye, self.left_eye, self.nose, self.right_mouth, self.left_mouth)

    @property
    def array(self) -> npt.NDArray[np.float64]:
        """The points as float64 (5, 2), px."""
        return np.array([(point.x, point.y) for point in self.points])

    @property
    def eye_middle(self) -> Point:
        """Half-way between the eyes."""
        return self.right_eye.towards(self.left_eye, 0.5)

    @property
    def mouth_middle(self) -> Point:
        """Half-way between the corners of the mouth."""
        return self.right_mouth.towards(self.left_mouth, 0.5)

    @property
    def inter_eye_px(self) -> float:
        """Distance of the eye centres in the picture, px."""
        return self.right_eye.distance(self.left_eye)

    @property
    def roll_deg(self) -> float:
        """Slope of the line through the eyes: > 0 where the head tilts clockwise in the picture.

        The detector understates it: of a tilt of 20° it tells 7° to 17°, and less of small faces. A contour
        tells it within 4°.
        """
        return degrees(atan2(self.left_eye.y - self.right_eye.y, self.left_eye.x - self.right_eye.x))


@dataclass(frozen=True, slots=True)
class Face:
    """A face that was found."""

    box: Box
    landmarks: Landmarks
    confidence: float
    """0–1."""

    @property
    def inter_eye_px(self) -> float:
        """Distance of the eye centres in the picture, px."""
        return self.landmarks.inter_eye_px


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where a head is turned to, in degrees; (0, 0, 0) looks straight into the camera."""

    yaw_deg: float
    """> 0: the person turns to their left; the nose moves to the right in the picture."""
    pitch_deg: float
    """> 0: the person looks up."""
    roll_deg: float
    """> 0: the head tilts clockwise in the picture."""
    estimated: bool = False
    """Whether it is the rough one of five landmarks, which understates roll and knows no pitch."""


@dataclass(frozen=True, slots=True)
class EyeState:
    """How open the eyes are, as probabilities 0–1. Means little where a head is turned by more than 20°."""

    right_open: float
    left_open: float

    @property
    def open(self) -> float:
        """The less open eye."""
        return min(self.right_open, self.left_open)


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """68 points of a face in px, float64 (68, 2), in the order of iBUG 300-W (Sagonas et al. 2013)."""

    points: npt.NDArray[np.float64]

    @property
    def chin(self) -> Point:
        """The lowest point of the jaw."""
        return self._point(8)

    @property
    def eye_opening_px(self) -> tuple[float, float]:
        """Distance of the eyelids of the right and the left eye, px: the mean of two places each."""
        return self._gap((37, 41), (38, 40)), self._gap((43, 47), (44, 46))

    @property
    def mouth_opening_px(self) -> float:
        """Distance of the inner lips, px: the mean of three places."""
        return self._gap((61, 67), (62, 66), (63, 65))

    @property
    def eyes(self) -> tuple[Point, Point]:
        """Centres of the right and the left eye."""
        return self._mean(range(36, 42)), self._mean(range(42, 48))

    @property
    def roll_deg(self) -> float:
        """Slope of the line through the eyes: > 0 where the head tilts clockwise in the picture."""
        right, left = self.eyes
        return degrees(atan2(left.y - right.y, left.x - right.x))

    @property
    def eye_widths_px(self) -> tuple[float, float]:
        """From corner to corner of the right and the left eye, px."""
        return self._gap((36, 39)), self._gap((42, 45))

    def _point(self, index: int) -> Point:
        x, y = self.points[index]
        return Point(float(x), float(y))

    def _mean(self, indices: range) -> Point:
        x, y = self.points[list(indices)].mean(axis=0)
        return Point(float(x), float(y))

    def _gap(self, *pairs: tuple[int, int]) -> float:
        """Mean distance of pairs of points."""
        gaps = [self._point(a).distance(self._point(b)) for a, b in pairs]
        return sum(gaps) / len(gaps)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A face as numbers, comparable with those of the same model and version only. Personal data."""

    vector: npt.NDArray[np.float32]
    """(128,) for the registered model, of length 1."""
    model: str
    """Registry name."""
    version: str
    """The first 12 hex digits of the SHA-256 of the weights' source file."""
