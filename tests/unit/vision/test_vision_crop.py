"""Crops: rectified, tight, normalised."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.vision import box, turned
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.ocr.crop import line_crop, rectified
from vidence_server.vision.ocr.profile import ReadingProfile

PROFILE = ReadingProfile()


def checks(width: int = 400, height: int = 300) -> np.ndarray:
    """Blue above, red below, with a green left third."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, :, 0] = 255
    pixels[height // 2 :, :, 2] = 255
    pixels[:, : width // 3] = (0, 255, 0)
    return pixels


@given(width=st.floats(2, 900), height=st.floats(2, 200))
def test_widths_are_tight_multiples(width: float, height: float) -> None:
    crop = line_crop(checks(1000, 300), box(10, 10, width, height), PROFILE)
    batch, planes, rows, columns = crop.tensor.shape
    assert (batch, planes, rows) == (1, 3, 48)
    assert columns % 8 == 0
    natural = min(3200.0, 48 * width / height)
    assert columns >= 48
    assert columns <= max(48.0, natural + 9)
    assert 0 < crop.content <= 1
    assert crop.tensor.dtype == np.float32


def test_narrow_lines_are_padded_with_grey_and_say_so() -> None:
    crop = line_crop(checks(), box(0, 0, 20, 40), PROFILE)
    assert crop.tensor.shape[3] == 48
    assert crop.content == pytest.approx(24 / 48)
    assert (crop.tensor[:, :, :, 24:] == 0).all()
    assert (crop.tensor[:, :, :, :24] != 0).all()


def test_very_long_lines_are_squeezed() -> None:
    assert line_crop(checks(3000, 20), box(0, 0, 3000, 10), PROFILE).tensor.shape[3] == 3200


def test_an_upright_box_is_cut_out_exactly() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (100, 200, 3), np.uint8)
    assert np.array_equal(rectified(pixels, box(30, 20, 96, 48), 96, 48), pixels[20:68, 30:126])


@pytest.mark.parametrize("degrees", [-30, -5, 15, 90, 180])
def test_a_turned_box_comes_out_upright(degrees: float) -> None:
    centre, upright = Point(200, 150), box(100, 126, 200, 48)
    matrix = cv2.getRotationMatrix2D((centre.x - 0.5, centre.y - 0.5), -degrees, 1.0)
    scene = np.asarray(cv2.GaussianBlur(checks(), (9, 9), 0), np.uint8)
    pixels = np.asarray(cv2.warpAffine(scene, matrix, (400, 300), flags=cv2.INTER_CUBIC), np.uint8)
    expected = rectified(scene, upright, 200, 48).astype(int)
    actual = rectified(pixels, turned(upright, degrees, centre), 200, 48).astype(int)
    assert np.abs(actual - expected).mean() < 3


def test_large_letters_are_averaged_and_not_skipped() -> None:
    stripes = np.zeros((480, 960, 3), np.uint8)
    stripes[:, ::2] = 255
    reduced = rectified(stripes, box(0, 0, 960, 480), 96, 48)
    assert np.abs(reduced.astype(int) - 127).max() <= 2


def test_parts_outside_the_picture_repeat_its_edge() -> None:
    pixels = np.full((50, 50, 3), 200, np.uint8)
    assert (rectified(pixels, box(-20, -20, 90, 90), 48, 48) == 200).all()


def test_a_box_without_area_is_no_failure() -> None:
    point = Point(10, 10)
    crop = line_crop(checks(), Quad(point, point, point, point), PROFILE)
    assert crop.tensor.shape == (1, 3, 48, 48)
    assert np.isfinite(crop.tensor).all()
