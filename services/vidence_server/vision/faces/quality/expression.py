"""Eyes open, mouth closed."""

from __future__ import annotations

from vidence_server.vision.faces.face import Contour, EyeState, Face
from vidence_server.vision.faces.quality.component import Measure, QualityMeasure, score, sigmoid
from vidence_server.vision.faces.quality.geometry import eyes_to_chin_px


def expression_measures(face: Face, eyes: EyeState | None, contour: Contour | None) -> tuple[Measure, ...]:
    """What can be told of eyes and mouth with what is known."""
    measures = []
    if eyes is not None:
        measures.append(Measure(QualityMeasure.EYES_OPEN, eyes.open, "probability", score(eyes.open)))
    elif contour is not None:
        measures.append(eyes_open(face, contour))
    if contour is not None:
        measures.append(mouth_closed(face, contour))
    return tuple(measures)


def eyes_open(face: Face, contour: Contour) -> Measure:
    """Opening of the less open eye over eyes to chin, ratio (ISO/IEC 29794-5); open: from 0.05."""
    value = min(contour.eye_opening_px) / eyes_to_chin_px(face, contour)
    fraction = sigmoid(value, 0.035, 0.008)
    return Measure(QualityMeasure.EYES_OPEN, value, "ratio", score(fraction), estimated=True)


def mouth_closed(face: Face, contour: Contour) -> Measure:
    """Distance of the inner lips over eyes to chin, ratio (ISO/IEC 29794-5); closed: up to 0.03."""
    value = contour.mouth_opening_px / eyes_to_chin_px(face, contour)
    return Measure(QualityMeasure.MOUTH_CLOSED, value, "ratio", score(1 - sigmoid(value, 0.13, 0.03)))
