"""Between the domain of extraction and its messages. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from vidence.event.v1 import event_pb2
from vidence.extraction.v1 import document_pb2, extraction_events_pb2, extraction_service_pb2
from vidence.type.v1 import geometry_pb2
from vidence_server.extraction.domain.document import (
    Document,
    ExtractedField,
    FieldSource,
    PlannedField,
    Validation,
    Verdict,
)
from vidence_server.extraction.domain.events import (
    DocumentTypeDetected,
    ExtractionComplete,
    ExtractionEvent,
    ExtractionProgress,
    ExtractionStart,
    FieldRead,
    LatencyBudget,
    Stage,
)
from vidence_server.extraction.domain.fields import FIELDS_BY_KEY
from vidence_server.extraction.domain.runs import EndedRun, RunState
from vidence_server.extraction.types.document_type import DocumentType
from vidence_server.storage.outbox import OutboxEvent
from vidence_server.vision.geometry import Point, Quad

_SOURCES = {
    FieldSource.VISUAL: document_pb2.FIELD_SOURCE_VISUAL,
    FieldSource.MRZ: document_pb2.FIELD_SOURCE_MRZ,
    FieldSource.BARCODE: document_pb2.FIELD_SOURCE_BARCODE,
    FieldSource.TEXT_LAYER: document_pb2.FIELD_SOURCE_TEXT_LAYER,
}
_VERDICTS = {
    Verdict.VALID: document_pb2.VALIDATION_VERDICT_VALID,
    Verdict.INVALID: document_pb2.VALIDATION_VERDICT_INVALID,
    Verdict.NOT_CHECKED: document_pb2.VALIDATION_VERDICT_NOT_CHECKED,
}
_STAGES = {
    Stage.DECODE: extraction_service_pb2.EXTRACTION_STAGE_DECODE,
    Stage.DETECT: extraction_service_pb2.EXTRACTION_STAGE_DETECT,
    Stage.RECOGNISE: extraction_service_pb2.EXTRACTION_STAGE_RECOGNISE,
    Stage.INTERPRET: extraction_service_pb2.EXTRACTION_STAGE_INTERPRET,
}

EVENT_SOURCE = "vidence/extraction"
"""Who tells the events of this service."""


def to_response(event: ExtractionEvent) -> extraction_service_pb2.ExtractDocumentResponse:
    """The message of an event, without sequence and emit time: the stream sets them."""
    response = extraction_service_pb2.ExtractDocumentResponse()
    match event:
        case ExtractionStart():
            response.extraction_start.CopyFrom(_start(event))
        case DocumentTypeDetected():
            response.document_type_detected.document_type = event.guess.key
            response.document_type_detected.confidence = event.guess.confidence
            response.document_type_detected.planned_fields.extend(to_plan(event.plan))
        case FieldRead():
            response.extraction_field.field.CopyFrom(to_field(event.field))
        case ExtractionProgress():
            response.extraction_progress.done = event.done
            response.extraction_progress.total = event.total
            response.extraction_progress.fraction = event.fraction
        case ExtractionComplete():
            response.extraction_complete.document.CopyFrom(to_document(event.document))
            response.extraction_complete.latency.CopyFrom(to_latency(event.latency))
            response.extraction_complete.provenance_record = event.record
        case _:
            assert_never(event)
    return response


def to_read_response(
    start: ExtractionStart, complete: ExtractionComplete
) -> extraction_service_pb2.ReadDocumentResponse:
    """The unary answer made of the first and the last event of a reading."""
    return extraction_service_pb2.ReadDocumentResponse(
        extraction_id=start.extraction_id,
        image_size=geometry_pb2.ImageSize(width_px=start.width_px, height_px=start.height_px),
        document=to_document(complete.document),
        latency=to_latency(complete.latency),
        provenance_record=complete.record,
    )


def _start(event: ExtractionStart) -> extraction_service_pb2.ExtractionStart:
    return extraction_service_pb2.ExtractionStart(
        extraction_id=event.extraction_id,
        image_size=geometry_pb2.ImageSize(width_px=event.width_px, height_px=event.height_px),
        document_type=event.document_type or "",
        planned_fields=to_plan(event.plan),
    )


def to_document(document: Document) -> document_pb2.Document:
    """A whole document."""
    return document_pb2.Document(
        document_type=document.document_type,
        type_confidence=document.type_confidence,
        fields=map(to_field, document.fields),
    )


def to_field(field: ExtractedField) -> document_pb2.ExtractedField:
    """One field."""
    return document_pb2.ExtractedField(
        key=field.key,
        index=field.index,
        revision=field.revision,
        raw_value=field.raw_value,
        value=field.value,
        confidence=field.confidence,
        box=to_quad(field.quad) if field.quad else None,
        source=_SOURCES[field.source],
        validation=_validation(field.validation),
        alternatives=[
            document_pb2.FieldAlternative(value=other.value, confidence=other.confidence)
            for other in field.alternatives
        ],
        corrections=[
            document_pb2.FieldCorrection(
                position=made.position, read=made.read, corrected=made.corrected, proof=made.proof
            )
            for made in field.corrections
        ],
    )


def _validation(validation: Validation) -> document_pb2.FieldValidation:
    return document_pb2.FieldValidation(
        verdict=_VERDICTS[validation.verdict],
        rule=validation.rule,
        expected=validation.expected,
        actual=validation.actual,
        message=validation.message,
    )


def to_quad(quad: Quad) -> geometry_pb2.Quad:
    """Four corners in pixels."""
    return geometry_pb2.Quad(
        top_left=_point(quad.top_left),
        top_right=_point(quad.top_right),
        bottom_right=_point(quad.bottom_right),
        bottom_left=_point(quad.bottom_left),
    )


def _point(point: Point) -> geometry_pb2.Point:
    return geometry_pb2.Point(x=point.x, y=point.y)


def to_plan(planned: Iterable[PlannedField]) -> list[document_pb2.PlannedField]:
    """A plan of fields, each key once."""
    required = {field.key: field.required for field in planned}
    return [
        document_pb2.PlannedField(
            key=key,
            title=FIELDS_BY_KEY[key].title,
            required=required[key],
            repeated=FIELDS_BY_KEY[key].repeated,
        )
        for key in required
    ]


def to_document_type(document_type: DocumentType) -> document_pb2.DocumentType:
    """A type as `ListDocumentTypes` tells it."""
    return document_pb2.DocumentType(
        key=document_type.key,
        title=document_type.title,
        description=document_type.description,
        planned_fields=to_plan(document_type.planned_fields),
    )


def to_latency(latency: LatencyBudget) -> extraction_service_pb2.LatencyBudget:
    """Where the time went."""
    message = extraction_service_pb2.LatencyBudget(
        total_duration=_duration(latency.total_s),
        stages=[
            extraction_service_pb2.StageLatency(
                stage=_STAGES[stage.stage], duration=_duration(stage.duration_s), steps=stage.steps
            )
            for stage in latency.stages
        ],
    )
    if latency.first_field_s is not None:
        message.first_field_duration.CopyFrom(_duration(latency.first_field_s))
    return message


def to_outbox_event(run: EndedRun) -> OutboxEvent:
    """What the bus is told of a run that ended: that it did, never what was read."""
    completed = run.state is RunState.COMPLETED
    event = event_pb2.Event(
        source=EVENT_SOURCE,
        # A run ends once, so its id names its end.
        id=f"{run.start.extraction_id}/{'extracted' if completed else 'failed'}",
        type="document.extracted" if completed else "extraction.failed",
        subject=f"extractions/{run.start.extraction_id}",
        severity=event_pb2.SEVERITY_WARNING if run.state is RunState.FAILED else event_pb2.SEVERITY_INFO,
        occurrence_time=_timestamp(run.end_time),
    )
    if run.document_type:
        event.attributes["document_type"] = run.document_type
    event.data.Pack(_extracted(run) if completed else _aborted(run))
    return OutboxEvent(
        tenant=run.start.tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        encoded=event.SerializeToString(),
        create_time=run.end_time,
    )


def _extracted(run: EndedRun) -> extraction_events_pb2.DocumentExtracted:
    return extraction_events_pb2.DocumentExtracted(
        extraction_id=run.start.extraction_id,
        document_type=run.document_type,
        field_count=run.field_count,
        invalid_field_count=run.invalid_field_count,
        start_time=_timestamp(run.start.start_time),
        total_duration=_duration(run.total_s),
    )


def _aborted(run: EndedRun) -> extraction_events_pb2.ExtractionAborted:
    return extraction_events_pb2.ExtractionAborted(
        extraction_id=run.start.extraction_id,
        document_type=run.document_type,
        reason=str(run.reason),
        start_time=_timestamp(run.start.start_time),
        total_duration=_duration(run.total_s),
    )


def _timestamp(time: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
