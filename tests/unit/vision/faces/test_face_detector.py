"""The detector's input and the reading of its output, with outputs made by hand."""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt
import pytest

from vidence_server.vision.faces.detector import OUTPUTS, DetectorInput, detected_faces, detector_input
from vidence_server.vision.faces.face import Contour
from vidence_server.vision.faces.pose import head_pose
from vidence_server.vision.faces.profile import FaceProfile

pytestmark = pytest.mark.requirement("R-FA1")

PROFILE = FaceProfile()
Outputs = dict[str, npt.NDArray[np.float32]]


def nothing(width: int = 320, height: int = 256) -> Outputs:
    """Outputs in which there is no face."""
    last = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {
        name: np.zeros((1, (width // stride) * (height // stride), last[head]), np.float32)
        for name in OUTPUTS
        for head, stride in [(name.split("_")[0], int(name.split("_")[1]))]
    }


def put(outputs: Outputs, stride: int, cell_at: tuple[int, int], side: float, sureness: float) -> None:
    """Puts a face of `side` px with its middle at a cell's corner; its points 2 px right of that, each."""
    column, row = cell_at
    cell = row * (320 // stride) + column
    outputs[f"cls_{stride}"][0, cell] = sureness
    outputs[f"obj_{stride}"][0, cell] = sureness
    outputs[f"bbox_{stride}"][0, cell] = (0, 0, log(side / stride), log(side / stride))
    outputs[f"kps_{stride}"][0, cell] = np.tile([2 / stride, 0], 5)


def seen(scale: float = 1.0) -> DetectorInput:
    return DetectorInput(np.zeros((1, 3, 256, 320), np.float32), scale)


def test_a_large_picture_is_shrunk_and_padded_to_multiples_of_32() -> None:
    made = detector_input(np.full((480, 640, 3), 9, np.uint8), 320, PROFILE)
    assert (made.tensor.shape, made.scale) == ((1, 3, 256, 320), 2.0)
    assert (made.tensor[0, :, 239, 319].tolist(), made.tensor[0, :, 240, 0].tolist()) == ([9] * 3, [0] * 3)


def test_a_tiny_picture_is_not_enlarged_without_end() -> None:
    made = detector_input(np.zeros((10, 20, 3), np.uint8), 640, PROFILE)
    assert made.tensor.shape == (1, 3, 32, 64)
    assert made.scale == pytest.approx(1 / PROFILE.largest_magnification)


def test_no_face_is_no_error() -> None:
    assert detected_faces(nothing(), seen(), PROFILE) == ()


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_face_is_found_where_its_cell_says(stride: int) -> None:
    outputs = nothing()
    put(outputs, stride, (4, 3), 40, 0.9)
    (face,) = detected_faces(outputs, seen(scale=2), PROFILE)
    assert face.box.centre.x == pytest.approx(2 * 4 * stride)
    assert face.box.centre.y == pytest.approx(2 * 3 * stride)
    assert face.box.width == pytest.approx(80, rel=1e-5)
    nose = face.landmarks.nose
    assert (nose.x, nose.y) == pytest.approx((2 * (4 * stride + 2), 2 * 3 * stride))
    assert face.confidence == pytest.approx(0.9)


def test_of_two_boxes_on_one_face_the_surer_one_stays() -> None:
    outputs = nothing()
    put(outputs, 8, (10, 10), 60, 0.7)
    put(outputs, 16, (5, 5), 62, 0.9)
    put(outputs, 8, (30, 10), 40, 0.8)
    faces = detected_faces(outputs, seen(), PROFILE)
    assert [round(face.confidence, 2) for face in faces] == [0.9, 0.8]


def test_the_largest_face_comes_first_and_unsure_ones_not_at_all() -> None:
    outputs = nothing()
    put(outputs, 8, (4, 4), 20, 0.95)
    put(outputs, 32, (6, 5), 90, 0.7)
    put(outputs, 8, (30, 4), 20, 0.59)
    assert [round(face.box.width) for face in detected_faces(outputs, seen(), PROFILE)] == [90, 20]


def test_the_number_of_faces_is_bounded() -> None:
    outputs = nothing()
    for column in range(0, 40, 4):
        put(outputs, 8, (column, 8), 10, 0.9)
    assert len(detected_faces(outputs, seen(), FaceProfile(max_faces=3))) == 3


def test_pose_is_the_expectation_over_bins_with_our_signs_and_the_contours_roll() -> None:
    logits = np.full((3, 1, 66), -50, np.float32)
    logits[0, 0, 43] = 50  # 43 · 3 - 99 = 30°
    logits[1, 0, 30] = 50  # -9°
    logits[2, 0, 0] = 50
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (10, 10), (20, 20)
    pose = head_pose(list(logits), Contour(points), FaceProfile(pitch_offset_deg=5))
    assert pose.yaw_deg == pytest.approx(-30)
    assert pose.pitch_deg == pytest.approx(-4)
    assert pose.roll_deg == pytest.approx(45)
    assert not pose.estimated
