"""Boxes, landmarks, alignment, crops: what is true of them without any model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.faces.align import similarity_transform, warped
from vidence_server.vision.faces.contour import contour, visible
from vidence_server.vision.faces.crops import box_crop, inside
from vidence_server.vision.faces.embedding import embedder_input, similarity, template
from vidence_server.vision.faces.face import Box, EyeState, Landmarks
from vidence_server.vision.faces.pose import pose_from_landmarks
from vidence_server.vision.geometry import Point

pytestmark = pytest.mark.requirement("R-FA1")

FRONTAL = Landmarks(Point(40, 50), Point(80, 50), Point(60, 72), Point(45, 92), Point(75, 92))


def moved(marks: Landmarks, dx: float) -> Landmarks:
    """With the nose moved to the right."""
    return Landmarks(
        marks.right_eye,
        marks.left_eye,
        Point(marks.nose.x + dx, marks.nose.y),
        marks.right_mouth,
        marks.left_mouth,
    )


def test_equal_boxes_overlap_wholly_and_distant_ones_not_at_all() -> None:
    box = Box(10, 10, 20, 30)
    assert box.iou(box) == 1.0
    assert box.iou(Box(100, 100, 5, 5)) == 0.0
    assert box.iou(Box(20, 10, 20, 30)) == pytest.approx(1 / 3)
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0.0


def test_a_grown_box_keeps_its_middle() -> None:
    grown = Box(10, 20, 30, 40).grown(2)
    assert (grown.centre, grown.width, grown.height) == (Point(25, 40), 60, 80)
    assert (grown.right, grown.bottom, grown.area) == (55, 80, 4800)


@given(
    scale=st.floats(0.2, 5),
    angle=st.floats(-3, 3),
    dx=st.floats(-100, 100),
    dy=st.floats(-100, 100),
)
def test_alignment_finds_the_similarity_that_was_applied(
    scale: float, angle: float, dx: float, dy: float
) -> None:
    points = FRONTAL.array
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity_transform(points, points @ turn.T + (dx, dy))
    assert np.allclose(found[:, :2], turn, atol=1e-6)
    assert np.allclose(found[:, 2], (dx, dy), atol=1e-4)


def test_points_that_are_one_point_give_a_transform_all_the_same() -> None:
    found = similarity_transform(np.zeros((5, 2)), FRONTAL.array)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [0.12, 0.3, 0.49, 0.51, 1.0, 2.0])
def test_what_is_warped_lies_where_the_transform_puts_it(scale: float) -> None:
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[180:220, 280:320] = 255
    transform = np.array([[scale, 0.0, 5.0], [0.0, scale, 3.0]])
    seen = warped(pixels, transform, 800, 800)[:, :, 0].astype(float)
    ys, xs = np.nonzero(seen > 100)
    # Centres of pixels: the block's middle is at 299.5, 199.5.
    assert xs.mean() == pytest.approx(299.5 * scale + 5, abs=0.6)
    assert ys.mean() == pytest.approx(199.5 * scale + 3, abs=0.6)
    assert seen.sum() / 255 == pytest.approx(1600 * scale * scale, rel=0.25)


@pytest.mark.parametrize(
    "box", [Box(-50, -50, 60, 60), Box(90, 70, 50, 50), Box(-500, 0, 10, 10), Box(20, 20, 0.2, 0.2)]
)
def test_a_crop_is_never_empty(box: Box) -> None:
    pixels = np.full((100, 120, 3), 7, np.uint8)
    crop = box_crop(pixels, box, 24)
    assert (crop.shape, int(crop.min()), int(crop.max())) == ((24, 24, 3), 7, 7)
    part = visible(box, pixels)
    assert part.width >= 1
    assert part.height >= 1
    assert 0 <= part.left < part.right <= 121


@given(left=st.floats(-300, 300), top=st.floats(-300, 300), width=st.floats(1, 900), height=st.floats(1, 900))
def test_a_box_moved_inside_lies_inside_with_the_same_aspect(
    left: float, top: float, width: float, height: float
) -> None:
    found = inside(Box(left, top, width, height), 200, 150)
    assert found.left >= -1e-6
    assert found.top >= -1e-6
    assert found.right <= 199 + 1e-6
    assert found.bottom <= 149 + 1e-6
    assert found.width / found.height == pytest.approx(width / height)


def test_the_contour_is_scaled_to_its_box() -> None:
    fractions = np.tile([0.5, 0.25], 68).astype(np.float32)
    found = contour(fractions[None], Box(10, 20, 100, 200))
    assert found.points.shape == (68, 2)
    assert found.chin == Point(60, 70)
    assert found.mouth_opening_px == 0
    assert found.eye_opening_px == (0, 0)


def test_an_aligned_face_is_upright_whatever_the_tilt() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    for point, colour in zip(FRONTAL.points, (60, 90, 120, 180, 240), strict=True):
        pixels[int(point.y) - 3 : int(point.y) + 4, int(point.x) - 3 : int(point.x) + 4] = colour
    tensor = embedder_input(pixels, FRONTAL)
    assert tensor.shape == (1, 3, 112, 112)
    assert tensor.dtype == np.float32
    assert tensor[0, 0, 51, 38] == 60
    assert tensor[0, 0, 71, 56] == 120


def test_the_less_open_eye_counts() -> None:
    assert EyeState(0.9, 0.2).open == 0.2


def test_a_frontal_face_is_estimated_as_frontal_and_without_pitch() -> None:
    pose = pose_from_landmarks(FRONTAL)
    assert (pose.yaw_deg, pose.pitch_deg, pose.roll_deg, pose.estimated) == (0, 0, 0, True)


def test_a_nose_to_the_right_is_a_turn_to_the_persons_left() -> None:
    right, left = (pose_from_landmarks(moved(FRONTAL, dx)).yaw_deg for dx in (10.0, -10.0))
    assert 10 < right < 40
    assert left == pytest.approx(-right)
    assert pose_from_landmarks(moved(FRONTAL, 4000)).yaw_deg == pytest.approx(90, abs=1)


def test_templates_of_one_model_are_compared_by_their_angle() -> None:
    one = template(np.array([3.0, 4.0], np.float32), "m", "1")
    other = template(np.array([4.0, -3.0], np.float32), "m", "1")
    assert similarity(one, one) == pytest.approx(1)
    assert similarity(one, other) == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(one.vector) == pytest.approx(1)
    assert np.isfinite(template(np.zeros(2, np.float32), "m", "1").vector).all()


@pytest.mark.parametrize(("model", "version", "length"), [("n", "1", 2), ("m", "2", 2), ("m", "1", 3)])
def test_templates_of_different_models_are_never_compared(model: str, version: str, length: int) -> None:
    one = template(np.ones(2, np.float32), "m", "1")
    with pytest.raises(DomainError) as caught:
        similarity(one, template(np.ones(length, np.float32), model, version))
    assert caught.value.reason is Reason.TEMPLATE_FOREIGN
