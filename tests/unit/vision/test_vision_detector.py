"""The detector's two ends: what it sees, and how its map becomes regions."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.vision.geometry import Point
from vidence_server.vision.ocr.detector import DetectorInput, detector_input, detector_size, text_regions
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.text import TextRegion

PROFILE = ReadingProfile()


def probability(height: int = 320, width: int = 640) -> npt.NDArray[np.float32]:
    return np.zeros((height, width), np.float32)


def found(map_: npt.NDArray[np.float32], scale: float = 1.0, **changes: float) -> tuple[TextRegion, ...]:
    height, width = map_.shape
    seen = DetectorInput(np.zeros((1, 3, height, width), np.float32), scale, scale)
    profile = ReadingProfile(**changes)  # type: ignore[arg-type]  # a test names float parameters only
    return text_regions(map_, seen, round(width * scale), round(height * scale), profile)


@given(width=st.integers(8, 20_000), height=st.integers(8, 20_000))
def test_sides_are_multiples_and_within_bounds(width: int, height: int) -> None:
    across, down = detector_size(width, height, PROFILE)
    assert across % 32 == down % 32 == 0
    assert min(across, down) >= 32
    assert max(across, down) <= PROFILE.detector_long_side_px + 32
    assert across * down <= 1.2 * PROFILE.detector_area_px + 32 * PROFILE.detector_long_side_px


@pytest.mark.parametrize("size", [(1600, 1200), (4000, 3000), (900, 1900)])
def test_large_pictures_keep_their_shape(size: tuple[int, int]) -> None:
    across, down = detector_size(*size, PROFILE)
    assert across * down == pytest.approx(PROFILE.detector_area_px, rel=0.06)
    assert across / down == pytest.approx(size[0] / size[1], rel=0.05)


def test_small_pictures_are_enlarged_up_to_the_factor() -> None:
    assert detector_size(320, 160, PROFILE) == (640, 320)
    assert detector_size(320, 160, ReadingProfile(detector_enlarge_up_to=1.0)) == (320, 160)


def test_pixels_are_scaled_to_plus_minus_one_in_planes() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 2] = 255, 51
    seen = detector_input(pixels, ReadingProfile(detector_enlarge_up_to=1.0))
    assert seen.tensor.shape == (1, 3, 64, 96)
    assert seen.tensor.dtype == np.float32
    assert seen.tensor[0, :, 5, 5].tolist() == pytest.approx([1.0, -1.0, -0.6])
    assert (seen.scale_x, seen.scale_y) == (1.0, 1.0)


def test_a_region_grows_by_area_over_perimeter() -> None:
    map_ = probability()
    map_[100:120, 200:400] = 0.9
    (region,) = found(map_)
    # The dilated kernel is 200 × 20 px between outermost pixel centres; it grows by ratio · A / P.
    width, height = 200, 20
    growth = PROFILE.unclip_ratio * width * height / (2 * (width + height))
    assert region.quad.width == pytest.approx(width + 2 * growth, abs=1)
    assert region.quad.height == pytest.approx(height + 2 * growth, abs=1)
    assert region.quad.centre.distance(Point(299.5, 109.5)) < 1
    assert 0.8 < region.score <= 0.9


def test_regions_are_in_pixels_of_the_picture() -> None:
    map_ = probability()
    map_[100:120, 200:400] = 0.9
    (small,), (large,) = found(map_), found(map_, scale=2.5)
    assert large.quad.centre.distance(Point(small.quad.centre.x * 2.5, small.quad.centre.y * 2.5)) < 0.01


def test_regions_end_at_the_edge_of_the_picture() -> None:
    map_ = probability()
    map_[:20, :640] = 0.9
    (region,) = found(map_)
    assert all(0 <= p.x <= 640 and 0 <= p.y <= 320 for p in region.quad.corners)


@pytest.mark.parametrize(
    "fill", [lambda m: None, lambda m: m[100:102, 200:202].fill(0.9), lambda m: m[100:120, 200:400].fill(0.4)]
)
def test_nothing_dots_and_doubts_are_no_regions(fill: object) -> None:
    map_ = probability()
    fill(map_)  # type: ignore[operator]  # one of the three lambdas above
    assert found(map_) == ()


def test_too_many_regions_leave_the_largest() -> None:
    map_ = probability()
    for n in range(8):
        map_[40 * n : 40 * n + 10, 10 : 60 + 40 * n] = 0.9
    assert len(found(map_)) == 8
    largest = found(map_, max_regions=3)
    assert len(largest) == 3
    assert min(region.quad.width for region in largest) > 200


@given(tilt=st.floats(-40, 40))
def test_corners_start_where_the_writing_starts(tilt: float) -> None:
    map_ = probability(640, 640)
    corners = cv2.boxPoints(((320.0, 320.0), (300.0, 30.0), tilt))
    cv2.fillPoly(map_, [corners.astype(np.int32).reshape(-1, 1, 2)], (0.9,))
    (region,) = found(map_)
    quad = region.quad
    assert quad.top_left.x < quad.top_right.x
    assert quad.width > 3 * quad.height
    slope = np.degrees(np.arctan2(quad.top_right.y - quad.top_left.y, quad.top_right.x - quad.top_left.x))
    assert slope == pytest.approx(tilt, abs=2)
    centre = quad.centre
    assert (quad.top_left.y + quad.top_right.y) / 2 < centre.y


def test_a_high_region_holds_writing_that_runs_down() -> None:
    map_ = probability(640, 640)
    map_[100:400, 300:330] = 0.9
    (region,) = found(map_)
    quad = region.quad
    assert quad.width > 3 * quad.height
    assert quad.top_left.x > 330
    assert quad.top_left.y < 100
    assert quad.top_right.x == pytest.approx(quad.top_left.x)
    assert quad.top_right.y > 400
