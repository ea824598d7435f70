"""Between the domain of faces and its messages. Nothing is decided here."""

from __future__ import annotations

from vidence.face.v1 import face_pb2, face_service_pb2
from vidence.type.v1 import geometry_pb2
from vidence_server.face.domain.results import (
    Assessment,
    Comparison,
    Detection,
    EmbeddedFace,
    Embedding,
    FaceChoice,
    FrameLiveness,
    LivenessCheck,
    LivenessVerdict,
    MatchVerdict,
    PictureSize,
    SeenFace,
)
from vidence_server.face.domain.thresholds import MatchRates, Rate
from vidence_server.face.service import FaceService
from vidence_server.vision.faces.face import Box, HeadPose, Landmarks
from vidence_server.vision.faces.profile import LIVENESS
from vidence_server.vision.faces.quality.measure import Quality, QualityMeasure
from vidence_server.vision.geometry import Point

LABEL = "not certified PAD"
"""What a liveness verdict is worth."""

_MATCHES = {
    MatchVerdict.MATCH: face_service_pb2.MATCH_VERDICT_MATCH,
    MatchVerdict.NO_MATCH: face_service_pb2.MATCH_VERDICT_NO_MATCH,
}
_LIVES = {
    LivenessVerdict.LIVE: face_service_pb2.LIVENESS_VERDICT_LIVE,
    LivenessVerdict.NOT_LIVE: face_service_pb2.LIVENESS_VERDICT_NOT_LIVE,
    LivenessVerdict.UNDECIDED: face_service_pb2.LIVENESS_VERDICT_UNDECIDED,
}
_MEASURES = {
    measure: face_pb2.QualityMeasure.Value(f"QUALITY_MEASURE_{measure.value.upper()}")
    for measure in QualityMeasure
}


def choice_of(asked: face_service_pb2.FaceChoice.ValueType) -> FaceChoice:
    """One face that is meant; unset: the only one."""
    largest = asked == face_service_pb2.FACE_CHOICE_LARGEST
    return FaceChoice.LARGEST if largest else FaceChoice.ONLY


def choice_or_all(asked: face_service_pb2.FaceChoice.ValueType) -> FaceChoice | None:
    """The face that is meant; None: all of them."""
    if asked in (face_service_pb2.FACE_CHOICE_UNSPECIFIED, face_service_pb2.FACE_CHOICE_ALL):
        return None
    return choice_of(asked)


def to_detection(found: Detection) -> face_service_pb2.DetectFacesResponse:
    """The faces of a picture."""
    return face_service_pb2.DetectFacesResponse(image_size=_size(found.size), faces=map(to_face, found.faces))


def to_assessment(assessed: Assessment) -> face_service_pb2.AssessQualityResponse:
    """The quality of a face."""
    return face_service_pb2.AssessQualityResponse(
        image_size=_size(assessed.size),
        face=to_face(assessed.face),
        quality=to_quality(assessed.quality),
        face_count=assessed.face_count,
    )


def to_comparison(compared: Comparison) -> face_service_pb2.CompareFacesResponse:
    """Two faces compared."""
    return face_service_pb2.CompareFacesResponse(
        similarity=compared.similarity,
        threshold=compared.threshold,
        verdict=_MATCHES[compared.verdict],
        rates=to_rates(compared.rates) if compared.rates else None,
        model=compared.probe.template.model,
        version=compared.probe.template.version,
        reference=_compared(compared.reference),
        probe=_compared(compared.probe),
    )


def to_liveness(check: LivenessCheck, version: str) -> face_service_pb2.CheckLivenessResponse:
    """Frames judged by the liveness model of this version."""
    return face_service_pb2.CheckLivenessResponse(
        verdict=_LIVES[check.verdict],
        score=check.score,
        threshold=check.threshold,
        min_frames=check.min_frames,
        frames=map(_frame, check.frames),
        label=LABEL,
        model=LIVENESS,
        version=version,
    )


def to_embedding(embedding: Embedding) -> face_service_pb2.EmbedFacesResponse:
    """The templates of a picture's faces."""
    return face_service_pb2.EmbedFacesResponse(
        image_size=_size(embedding.size), faces=map(_embedded, embedding.faces)
    )


def to_thresholds(service: FaceService) -> face_service_pb2.ListThresholdsResponse:
    """What is known of the embedding model in use."""
    model, version = service.embedder
    known = service.known_rates
    return face_service_pb2.ListThresholdsResponse(
        model=model,
        version=version,
        default_threshold=service.match_threshold,
        rates=map(to_rates, known),
        data=service.thresholds.data if known else "",
        limits=service.thresholds.limits if known else ("Nothing was measured with these weights.",),
    )


def to_face(seen: SeenFace) -> face_pb2.Face:
    """One face."""
    points = [] if seen.contour is None else seen.contour.points.tolist()
    return face_pb2.Face(
        box=_box(seen.face.box),
        landmarks=_landmarks(seen.face.landmarks),
        confidence=min(1.0, seen.face.confidence),
        pose=_pose(seen.pose),
        contour=[geometry_pb2.Point(x=x, y=y) for x, y in points],
    )


def to_quality(quality: Quality) -> face_pb2.FaceQuality:
    """The quality of a face."""
    return face_pb2.FaceQuality(
        unified_score=quality.unified,
        components=[
            face_pb2.QualityComponent(
                measure=_MEASURES[found.measure],
                value=found.value,
                unit=found.unit,
                score=found.score,
                estimated=found.estimated,
            )
            for found in quality.measures
        ],
    )


def to_rates(rates: MatchRates) -> face_pb2.MatchRates:
    """What was measured at a threshold."""
    return face_pb2.MatchRates(
        threshold=rates.threshold,
        false_accept=_rate(rates.false_accept),
        false_reject=_rate(rates.false_reject),
    )


def _rate(rate: Rate) -> face_pb2.ErrorRate:
    return face_pb2.ErrorRate(rate=rate.value, upper_bound=rate.upper, errors=rate.errors, trials=rate.trials)


def _embedded(embedded: EmbeddedFace) -> face_pb2.EmbeddedFace:
    template = face_pb2.FaceTemplate(
        vector=embedded.template.vector.tolist(),
        model=embedded.template.model,
        version=embedded.template.version,
    )
    return face_pb2.EmbeddedFace(
        face=to_face(embedded.face), template=template, quality=to_quality(embedded.quality)
    )


def _compared(embedded: EmbeddedFace) -> face_service_pb2.ComparedFace:
    return face_service_pb2.ComparedFace(face=to_face(embedded.face), quality=to_quality(embedded.quality))


def _frame(frame: FrameLiveness) -> face_service_pb2.FrameLiveness:
    return face_service_pb2.FrameLiveness(score=frame.score, reason=frame.reason or "")


def _size(size: PictureSize) -> geometry_pb2.ImageSize:
    return geometry_pb2.ImageSize(width_px=size.width_px, height_px=size.height_px)


def _box(box: Box) -> face_pb2.Box:
    return face_pb2.Box(left=box.left, top=box.top, width=box.width, height=box.height)


def _pose(pose: HeadPose) -> face_pb2.HeadPose:
    return face_pb2.HeadPose(
        yaw_deg=pose.yaw_deg, pitch_deg=pose.pitch_deg, roll_deg=pose.roll_deg, estimated=pose.estimated
    )


def _landmarks(marks: Landmarks) -> face_pb2.FaceLandmarks:
    return face_pb2.FaceLandmarks(
        right_eye=_point(marks.right_eye),
        left_eye=_point(marks.left_eye),
        nose=_point(marks.nose),
        right_mouth=_point(marks.right_mouth),
        left_mouth=_point(marks.left_mouth),
    )


def _point(point: Point) -> geometry_pb2.Point:
    return geometry_pb2.Point(x=point.x, y=point.y)
