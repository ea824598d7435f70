"""Documents are found by their corners, and judged by measures that say what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vidence_server.vision.documents.formats import FORMATS, corner_array, estimate_pose, quad_of
from vidence_server.vision.documents.presence import find_documents
from vidence_server.vision.documents.quality import DocumentMeasureName as Name
from vidence_server.vision.documents.quality import measure_document
from vidence_server.vision.documents.straighten import straighten
from vidence_server.vision.geometry import Quad

Floats = npt.NDArray[np.float64]
FRAME = (720, 1280)


def card(width: int = 856, height: int = 540, seed: int = 1) -> Floats:
    """A light card with a frame, a portrait and lines of print."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), (214, 222, 206), np.float64)
    cv2.rectangle(page, (12, 12), (width - 12, height - 12), (150, 170, 150), 2)
    cv2.rectangle(page, (40, 90), (240, 350), (120, 130, 150), -1)
    for row in range(8):
        for column in range(22):
            if rng.random() < 0.85:
                x, y = 290 + 24 * column, 90 + 40 * row
                cv2.rectangle(page, (x, y), (x + 14, y + 20), (40, 40, 40), 2)
    return page


@dataclass(frozen=True)
class Scene:
    """A card before a camera, and where its corners are."""

    pixels: npt.NDArray[np.uint8]
    corners: npt.NDArray[np.float32]


def scene(
    *,
    tilt_deg: float = 0.0,
    turn_deg: float = 0.0,
    fill: float = 0.6,
    desk: float = 90.0,
    blur_px: float = 0.0,
    noise: float = 3.0,
    shift: tuple[float, float] = (0.0, 0.0),
    seed: int = 1,
) -> Scene:
    """Photographs the card with a pinhole camera, `fill` being its width in widths of the picture."""
    height, width = FRAME
    page = card()
    rows, columns = page.shape[:2]
    focal = 1.1 * width
    tilt, turn = np.radians(tilt_deg), np.radians(turn_deg)
    about_y = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    flat = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (columns / 2, rows / 2)
    space = np.c_[flat, np.zeros(4)] @ (about_z @ about_y).T + (0, 0, focal * columns / (fill * width))
    corners = (focal * space[:, :2] / space[:, 2:] + (width / 2, height / 2) + shift).astype(np.float32)
    source = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    seen = cv2.warpPerspective(page, matrix, (width, height), flags=cv2.INTER_AREA)
    mask = np.zeros(FRAME, np.uint8)
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    picture = np.where(mask[..., None] > 0, seen, desk)
    if blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    picture = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return Scene(np.clip(picture, 0, 255).astype(np.uint8), corners)


def error_of(found: Quad, truth: npt.NDArray[np.float32]) -> float:
    """The largest distance of a corner from its place, in parts of the long side."""
    corners = corner_array(found)
    distances = [np.abs(np.roll(corners, turn, axis=0) - truth).max() for turn in range(4)]
    return float(min(distances)) / float(np.hypot(*(truth[1] - truth[0])))


@pytest.mark.requirement("R-CA3")
@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"tilt_deg": 25.0},
        {"turn_deg": 12.0, "tilt_deg": -15.0},
        {"fill": 0.35},
        {"fill": 0.75},
        {"blur_px": 2.0},
        {"noise": 12.0},
        {"desk": 150.0},
        {"shift": (120.0, -60.0)},
    ],
)
def test_the_four_corners_are_found(seen: dict[str, float]) -> None:
    picture = scene(**seen)  # type: ignore[arg-type]  # by name
    found = find_documents(picture.pixels)
    assert len(found) == 1
    assert error_of(found[0].quad, picture.corners) < 0.025
    assert 0.8 <= found[0].support <= 1.0


def test_a_thumb_on_a_side_hides_no_document() -> None:
    picture = scene()
    pixels = picture.pixels.copy()
    middle = picture.corners[2:].mean(axis=0).astype(int)
    cv2.ellipse(pixels, (int(middle[0]), int(middle[1])), (45, 70), 0, 0, 360, (120, 150, 210), -1)
    found = find_documents(pixels)
    assert len(found) == 1
    assert error_of(found[0].quad, picture.corners) < 0.03


def test_two_documents_are_two() -> None:
    left = scene(fill=0.36, shift=(-280.0, 0.0))
    right = scene(fill=0.36, shift=(280.0, 0.0))
    both = left.pixels.copy()
    both[:, 640:] = right.pixels[:, 640:]
    assert len(find_documents(both)) == 2


@pytest.mark.parametrize("seed", range(4))
def test_an_empty_desk_holds_no_document(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = cv2.resize(rng.normal(130, 30, (20, 35, 3)), (1280, 720)) + rng.normal(0, 5, (720, 1280, 3))
    assert find_documents(np.clip(desk, 0, 255).astype(np.uint8)) == ()


def test_a_small_picture_is_looked_at_as_it_is() -> None:
    tiny = np.full((16, 16, 3), 128, np.uint8)
    assert find_documents(tiny) == ()


def measures(seen: Scene) -> dict[Name, tuple[float, int]]:
    quad = quad_of(seen.corners)
    return {one.name: (one.value, one.score) for one in measure_document(seen.pixels, quad)}


@pytest.mark.requirement("R-CA3")
def test_tilt_and_resolution_are_those_of_the_scene() -> None:
    flat, tilted = measures(scene()), measures(scene(tilt_deg=25.0))
    assert flat[Name.TILT][0] < 4
    assert tilted[Name.TILT][0] == pytest.approx(25, abs=4)
    assert flat[Name.RESOLUTION][0] == pytest.approx(0.6 * 1280 / 85.6, rel=0.03)
    assert flat[Name.TILT][1] > tilted[Name.TILT][1]


@pytest.mark.requirement("R-CA3")
def test_each_fault_lowers_its_own_measure() -> None:
    good = measures(scene())
    assert measures(scene(blur_px=4.0))[Name.SHARPNESS][0] < good[Name.SHARPNESS][0] - 0.15
    cut = measures(scene(fill=0.6, shift=(-300.0, 0.0)))
    assert cut[Name.FRAMING][0] < 0 < good[Name.FRAMING][0]
    dark = scene()
    dim = Scene((dark.pixels * 0.2).astype(np.uint8), dark.corners)
    assert measures(dim)[Name.EXPOSURE][1] < 40 < good[Name.EXPOSURE][1]
    burnt = dark.pixels.copy()
    cv2.circle(burnt, (640, 360), 80, (255, 255, 255), -1)
    assert measures(Scene(burnt, dark.corners))[Name.GLARE][0] > 0.03 > good[Name.GLARE][0]


def test_a_document_cut_out_stands_straight() -> None:
    picture = scene(tilt_deg=15.0, turn_deg=8.0, noise=0.0)
    flat = straighten(picture.pixels, quad_of(picture.corners), max_side_px=428)
    page = cv2.resize(card(), (flat.shape[1], flat.shape[0]), interpolation=cv2.INTER_AREA)
    assert max(flat.shape[:2]) == 428
    assert float(np.abs(flat.astype(float) - page).mean()) < 12


def test_a_margin_of_the_surroundings_may_stay() -> None:
    picture = scene()
    quad = quad_of(picture.corners)
    plain, wide = straighten(picture.pixels, quad), straighten(picture.pixels, quad, margin=0.05)
    assert wide.shape[1] == pytest.approx(1.1 * plain.shape[1], abs=2)


def test_corners_in_any_order_make_the_same_quad() -> None:
    corners = scene(turn_deg=10.0).corners
    quads = {quad_of(corners[list(order)]).corners for order in ([0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0])}
    assert len(quads) == 1


def test_the_format_is_told_by_its_shape() -> None:
    for one in (FORMATS[0], FORMATS[2]):
        width, height = one.width_mm * 6, one.height_mm * 6
        corners = np.array([(200, 100), (200 + width, 100), (200 + width, 100 + height), (200, 100 + height)])
        assert estimate_pose(quad_of(corners), *FRAME[::-1]).format is one
