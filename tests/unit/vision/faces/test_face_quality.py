"""Each measure falls when what it measures is spoilt, and the others do not say they fell for that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fakes import face_pictures as pictures
from vidence_server.vision.faces.face import Box, Contour, EyeState, Face, HeadPose, Landmarks
from vidence_server.vision.faces.quality.component import QualityMeasure, score, sigmoid
from vidence_server.vision.faces.quality.measure import Quality, measure_quality
from vidence_server.vision.geometry import Point

pytestmark = pytest.mark.requirement("R-FA1", "R-CA3")

M = QualityMeasure

# Where the admiral's face is: the detector's answer, so that these tests need no model.
FACE = Face(
    Box(179.0, 122.5, 175.0, 210.2),
    Landmarks(Point(227, 211), Point(308, 210), Point(268, 254), Point(235, 289), Point(304, 288)),
    0.94,
)


@pytest.fixture(scope="module")
def admiral() -> pictures.Pixels:
    return pictures.decoded(pictures.picture_bytes(pictures.ADMIRAL))


def of(pixels: pictures.Pixels, face: Face = FACE) -> Quality:
    return measure_quality(pixels, face)


def scores(quality: Quality) -> dict[QualityMeasure, int]:
    return {measure.measure: measure.score for measure in quality.measures}


def test_a_good_portrait_scores_well(admiral: pictures.Pixels) -> None:
    quality = of(admiral)
    found = scores(quality)
    assert quality.unified >= 85
    for measure in (
        M.SHARPNESS,
        M.ILLUMINATION_UNIFORMITY,
        M.LUMINANCE_MEAN,
        M.UNDER_EXPOSURE_PREVENTION,
        M.OVER_EXPOSURE_PREVENTION,
        M.DYNAMIC_RANGE,
        M.NATURAL_COLOUR,
        M.HEAD_POSE_YAW,
        M.HEAD_POSE_ROLL,
        M.INTER_EYE_DISTANCE,
        M.FACE_OCCLUSION_PREVENTION,
        M.SINGLE_FACE_PRESENT,
    ):
        assert found[measure] >= 75, measure


def test_every_measure_has_a_unit_a_score_and_its_place(admiral: pictures.Pixels) -> None:
    points = np.tile([268.0, 240.0], (68, 1))
    points[8] = (268, 340)
    quality = measure_quality(
        admiral, FACE, pose=HeadPose(0, 0, 0), eyes=EyeState(1, 1), contour=Contour(points)
    )
    assert [measure.measure for measure in quality.measures] == list(QualityMeasure)
    assert all(measure.unit and 0 <= measure.score <= 100 for measure in quality.measures)
    assert all(np.isfinite(measure.value) for measure in quality.measures)


def test_what_needs_a_model_is_left_out_without_it(admiral: pictures.Pixels) -> None:
    quality = of(admiral)
    assert {*QualityMeasure} - {*scores(quality)} == {M.HEAD_POSE_PITCH, M.EYES_OPEN, M.MOUTH_CLOSED}
    yaw = quality[M.HEAD_POSE_YAW]
    assert yaw is not None
    assert yaw.estimated
    assert quality[M.EYES_OPEN] is None


def test_more_blur_is_less_sharpness(admiral: pictures.Pixels) -> None:
    found = [scores(of(pictures.blurred(admiral, sigma)))[M.SHARPNESS] for sigma in (0.1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 90
    assert found[2] < 30


@pytest.mark.parametrize("gain", [0.25, 0.6])
def test_sharpness_does_not_mistake_darkness_for_blur(admiral: pictures.Pixels, gain: float) -> None:
    assert scores(of(pictures.lit(admiral, gain)))[M.SHARPNESS] > 90


def test_darkness_is_underexposed_and_glare_overexposed(admiral: pictures.Pixels) -> None:
    dark, bright = (scores(of(pictures.lit(admiral, gain))) for gain in (0.1, 2.6))
    assert (dark[M.UNDER_EXPOSURE_PREVENTION], bright[M.OVER_EXPOSURE_PREVENTION]) == (0, 0)
    assert dark[M.OVER_EXPOSURE_PREVENTION] > 90
    assert bright[M.UNDER_EXPOSURE_PREVENTION] > 90
    assert dark[M.LUMINANCE_MEAN] < 20
    assert dark[M.LUMINANCE_VARIANCE] < 30
    assert dark[M.DYNAMIC_RANGE] < 30


def test_light_from_one_side_is_not_uniform(admiral: pictures.Pixels) -> None:
    shaded = admiral.copy()
    shaded[:, 268:] = (shaded[:, 268:] * 0.25).astype(np.uint8)
    assert scores(of(shaded))[M.ILLUMINATION_UNIFORMITY] < 20


def test_blue_skin_is_not_natural(admiral: pictures.Pixels) -> None:
    blue = np.clip(admiral * np.array([1.8, 0.8, 0.5]), 0, 255).astype(np.uint8)
    assert scores(of(blue))[M.NATURAL_COLOUR] < 20


def test_a_mask_occludes_and_a_clear_face_is_clear(admiral: pictures.Pixels) -> None:
    masked = admiral.copy()
    masked[255:335, 185:350] = (200, 160, 60)
    assert scores(of(masked))[M.FACE_OCCLUSION_PREVENTION] < 10


def test_a_plain_background_is_more_uniform_than_a_busy_one(admiral: pictures.Pixels) -> None:
    busy = admiral.copy()
    noise = np.random.default_rng(1).integers(0, 256, busy.shape, np.uint8)
    busy[:, :150], busy[:, 390:] = noise[:, :150], noise[:, 390:]
    plain = admiral.copy()
    plain[:, :150], plain[:, 390:] = 128, 128
    before, after = (scores(of(picture))[M.BACKGROUND_UNIFORMITY] for picture in (plain, busy))
    assert before > after + 30


def test_a_turned_head_scores_by_its_angle(admiral: pictures.Pixels) -> None:
    quality = measure_quality(admiral, FACE, pose=HeadPose(45, -30, 10))
    found = scores(quality)
    assert (found[M.HEAD_POSE_YAW], found[M.HEAD_POSE_PITCH], found[M.HEAD_POSE_ROLL]) == (50, 75, 97)


def test_a_small_face_has_a_small_inter_eye_distance_and_is_not_sharp(admiral: pictures.Pixels) -> None:
    small = pictures.scaled(admiral, 0.15)
    marks = Landmarks(*(Point(point.x * 0.15, point.y * 0.15) for point in FACE.landmarks.points))
    quality = of(small, Face(Box(27, 18, 26, 31), marks, 0.9))
    distance = quality[M.INTER_EYE_DISTANCE]
    assert distance is not None
    assert distance.value == pytest.approx(12.15, abs=0.1)
    assert (distance.score < 15, scores(quality)[M.SHARPNESS] < 95) == (True, True)


def test_a_face_at_the_edge_has_no_margin(admiral: pictures.Pixels) -> None:
    cut = np.ascontiguousarray(admiral[:, 240:])
    marks = Landmarks(*(Point(point.x - 240, point.y) for point in FACE.landmarks.points))
    found = scores(of(cut, replace(FACE, landmarks=marks)))
    assert found[M.LEFTWARD_CROP] < 10
    assert found[M.RIGHTWARD_CROP] > 90


def test_closed_eyes_and_an_open_mouth_are_told(admiral: pictures.Pixels) -> None:
    points = np.tile([268.0, 240.0], (68, 1))
    points[8] = (268, 340)
    points[[37, 38, 43, 44], 1] -= 6
    points[[40, 41, 46, 47], 1] += 6
    points[[61, 62, 63], 1] -= 15
    points[[65, 66, 67], 1] += 15
    open_eyes = scores(measure_quality(admiral, FACE, contour=Contour(points)))
    assert (open_eyes[M.EYES_OPEN] > 90, open_eyes[M.MOUTH_CLOSED] < 10) == (True, True)
    shut = measure_quality(admiral, FACE, eyes=EyeState(0.02, 0.98), contour=Contour(points))[M.EYES_OPEN]
    assert shut is not None
    assert (shut.unit, shut.score) == ("probability", 2)


def test_a_second_face_counts_by_its_size(admiral: pictures.Pixels) -> None:
    other = replace(FACE, box=Box(0, 0, 87.5, 105.1))
    found = scores(measure_quality(admiral, FACE, others=(other,)))
    assert found[M.SINGLE_FACE_PRESENT] == 75


def test_a_face_outside_of_the_picture_is_measured_as_far_as_it_goes() -> None:
    quality = of(np.zeros((40, 40, 3), np.uint8))
    assert quality[M.SHARPNESS] is None
    assert quality[M.FACE_OCCLUSION_PREVENTION] is None
    assert quality[M.INTER_EYE_DISTANCE] is not None


def test_nothing_measured_is_no_quality() -> None:
    assert Quality(()).unified == 0


def test_scores_stay_between_0_and_100() -> None:
    assert (score(-1), score(0.5), score(7)) == (0, 50, 100)
    curve = [sigmoid(-1e6, 0, 1), sigmoid(3, 3, 1), sigmoid(1e6, 0, 1)]
    assert curve == pytest.approx([0, 0.5, 1])
