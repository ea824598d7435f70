"""Errors of the domain: a machine-readable reason, the kind of failure it is, and words for people.

The wire knows the same reasons as `vidence.error.v1.Reason`; a contract test holds the two together. The
domain raises `DomainError` and never thinks of gRPC: `runtime` translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class ErrorKind(Enum):
    """How a caller should take a failure; the names are those of the canonical RPC codes."""

    CANCELLED = auto()
    INVALID_ARGUMENT = auto()
    DEADLINE_EXCEEDED = auto()
    NOT_FOUND = auto()
    ALREADY_EXISTS = auto()
    PERMISSION_DENIED = auto()
    RESOURCE_EXHAUSTED = auto()
    FAILED_PRECONDITION = auto()
    ABORTED = auto()
    OUT_OF_RANGE = auto()
    UNIMPLEMENTED = auto()
    INTERNAL = auto()
    UNAVAILABLE = auto()
    DATA_LOSS = auto()


class Reason(StrEnum):
    """Why something failed, for machines. One member per value of `vidence.error.v1.Reason`."""

    REQUEST_INVALID = "REQUEST_INVALID"
    IMAGE_EMPTY = "IMAGE_EMPTY"
    IMAGE_UNSUPPORTED = "IMAGE_UNSUPPORTED"
    IMAGE_CORRUPT = "IMAGE_CORRUPT"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    IMAGE_TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS"
    IMAGE_TOO_SMALL = "IMAGE_TOO_SMALL"
    IMAGE_ANIMATED = "IMAGE_ANIMATED"
    PDF_CORRUPT = "PDF_CORRUPT"
    PDF_ENCRYPTED = "PDF_ENCRYPTED"
    PDF_PAGE_OUT_OF_RANGE = "PDF_PAGE_OUT_OF_RANGE"
    DOCUMENT_TYPE_UNKNOWN = "DOCUMENT_TYPE_UNKNOWN"
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    MODEL_MISSING = "MODEL_MISSING"
    MODEL_CORRUPT = "MODEL_CORRUPT"
    QUEUE_FULL = "QUEUE_FULL"
    STREAM_LIMIT = "STREAM_LIMIT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    DRAINING = "DRAINING"
    NOT_READY = "NOT_READY"
    CONFIGURATION_INVALID = "CONFIGURATION_INVALID"
    INTERNAL = "INTERNAL"
    CURSOR_INVALID = "CURSOR_INVALID"
    CURSOR_FOREIGN = "CURSOR_FOREIGN"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    SUBSCRIBER_TOO_SLOW = "SUBSCRIBER_TOO_SLOW"
    EVENT_TOO_LARGE = "EVENT_TOO_LARGE"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    EVENT_CORRUPT = "EVENT_CORRUPT"
    SEQUENCE_MISMATCH = "SEQUENCE_MISMATCH"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105  # the name of a reason, no secret
    DATABASE_IN_USE = "DATABASE_IN_USE"
    DATABASE_INCOMPATIBLE = "DATABASE_INCOMPATIBLE"
    STORAGE_FULL = "STORAGE_FULL"
    STORAGE_FAILED = "STORAGE_FAILED"
    BLOB_NOT_FOUND = "BLOB_NOT_FOUND"
    BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
    BATCH_TOO_MANY_IMAGES = "BATCH_TOO_MANY_IMAGES"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    BATCH_WRONG_STATE = "BATCH_WRONG_STATE"
    BATCH_ITEM_CONFLICT = "BATCH_ITEM_CONFLICT"
    BATCH_EMPTY = "BATCH_EMPTY"
    BATCH_ITEM_NOT_FOUND = "BATCH_ITEM_NOT_FOUND"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    LEASE_LOST = "LEASE_LOST"
    WORKER_NOT_FOUND = "WORKER_NOT_FOUND"
    WORKER_LOST = "WORKER_LOST"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    SESSION_TOKEN_INVALID = "SESSION_TOKEN_INVALID"  # noqa: S105  # the name of a reason, no secret
    SESSION_ENDED = "SESSION_ENDED"
    SESSION_LIMIT = "SESSION_LIMIT"
    FRAME_OUT_OF_ORDER = "FRAME_OUT_OF_ORDER"
    FRAME_REPEATED = "FRAME_REPEATED"
    FRAME_INVALID = "FRAME_INVALID"
    PUSHER_REPLACED = "PUSHER_REPLACED"
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    TRANSITION_REFUSED = "TRANSITION_REFUSED"
    LANGUAGE_UNKNOWN = "LANGUAGE_UNKNOWN"
    LIBRARY_NOT_FOUND = "LIBRARY_NOT_FOUND"
    LIBRARY_EXISTS = "LIBRARY_EXISTS"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    DOCUMENT_EXISTS = "DOCUMENT_EXISTS"
    DOCUMENT_INVALID = "DOCUMENT_INVALID"
    REVISION_MISMATCH = "REVISION_MISMATCH"
    EMBEDDING_MODEL_MISMATCH = "EMBEDDING_MODEL_MISMATCH"
    EMBEDDING_UNAVAILABLE = "EMBEDDING_UNAVAILABLE"
    EXPORT_TOKEN_INVALID = "EXPORT_TOKEN_INVALID"  # noqa: S105  # the name of a reason, no secret
    EXPORT_EXPIRED = "EXPORT_EXPIRED"
    IMPORT_CHECKSUM_MISMATCH = "IMPORT_CHECKSUM_MISMATCH"
    IMPORT_INCOMPLETE = "IMPORT_INCOMPLETE"
    QUERY_NOT_FOUND = "QUERY_NOT_FOUND"
    QUERY_LIMIT = "QUERY_LIMIT"
    REEMBEDDING_RUNNING = "REEMBEDDING_RUNNING"
    SUBJECT_NOT_FOUND = "SUBJECT_NOT_FOUND"
    FACE_EXISTS = "FACE_EXISTS"
    CATALOGUE_UNKNOWN = "CATALOGUE_UNKNOWN"
    NO_FACE = "NO_FACE"
    SEVERAL_FACES = "SEVERAL_FACES"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    TEMPLATE_FOREIGN = "TEMPLATE_FOREIGN"
    PATH_UNKNOWN = "PATH_UNKNOWN"
    ORIGIN_REFUSED = "ORIGIN_REFUSED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    RATE_LIMITED = "RATE_LIMITED"


KIND_OF_REASON: Mapping[Reason, ErrorKind] = {
    Reason.REQUEST_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_EMPTY: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_UNSUPPORTED: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_CORRUPT: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_TOO_LARGE: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_TOO_MANY_PIXELS: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_TOO_SMALL: ErrorKind.INVALID_ARGUMENT,
    Reason.IMAGE_ANIMATED: ErrorKind.INVALID_ARGUMENT,
    Reason.PDF_CORRUPT: ErrorKind.INVALID_ARGUMENT,
    Reason.PDF_ENCRYPTED: ErrorKind.INVALID_ARGUMENT,
    Reason.PDF_PAGE_OUT_OF_RANGE: ErrorKind.INVALID_ARGUMENT,
    Reason.DOCUMENT_TYPE_UNKNOWN: ErrorKind.INVALID_ARGUMENT,
    Reason.MODEL_UNKNOWN: ErrorKind.NOT_FOUND,
    Reason.MODEL_MISSING: ErrorKind.FAILED_PRECONDITION,
    Reason.MODEL_CORRUPT: ErrorKind.DATA_LOSS,
    Reason.QUEUE_FULL: ErrorKind.RESOURCE_EXHAUSTED,
    Reason.STREAM_LIMIT: ErrorKind.RESOURCE_EXHAUSTED,
    Reason.DEADLINE_EXCEEDED: ErrorKind.DEADLINE_EXCEEDED,
    Reason.CANCELLED: ErrorKind.CANCELLED,
    Reason.DRAINING: ErrorKind.UNAVAILABLE,
    Reason.NOT_READY: ErrorKind.UNAVAILABLE,
    Reason.CONFIGURATION_INVALID: ErrorKind.FAILED_PRECONDITION,
    Reason.INTERNAL: ErrorKind.INTERNAL,
    Reason.CURSOR_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.CURSOR_FOREIGN: ErrorKind.INVALID_ARGUMENT,
    Reason.CURSOR_EXPIRED: ErrorKind.OUT_OF_RANGE,
    Reason.SUBSCRIBER_TOO_SLOW: ErrorKind.ABORTED,
    Reason.EVENT_TOO_LARGE: ErrorKind.INVALID_ARGUMENT,
    Reason.EVENT_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.EVENT_CORRUPT: ErrorKind.DATA_LOSS,
    Reason.SEQUENCE_MISMATCH: ErrorKind.FAILED_PRECONDITION,
    Reason.PAGE_TOKEN_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.DATABASE_IN_USE: ErrorKind.FAILED_PRECONDITION,
    Reason.DATABASE_INCOMPATIBLE: ErrorKind.FAILED_PRECONDITION,
    Reason.STORAGE_FULL: ErrorKind.RESOURCE_EXHAUSTED,
    Reason.STORAGE_FAILED: ErrorKind.UNAVAILABLE,
    Reason.BLOB_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.BATCH_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.BATCH_TOO_MANY_IMAGES: ErrorKind.INVALID_ARGUMENT,
    Reason.BATCH_TOO_LARGE: ErrorKind.INVALID_ARGUMENT,
    Reason.BATCH_WRONG_STATE: ErrorKind.FAILED_PRECONDITION,
    Reason.BATCH_ITEM_CONFLICT: ErrorKind.ALREADY_EXISTS,
    Reason.BATCH_EMPTY: ErrorKind.FAILED_PRECONDITION,
    Reason.BATCH_ITEM_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.JOB_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.LEASE_LOST: ErrorKind.ABORTED,
    Reason.WORKER_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.WORKER_LOST: ErrorKind.UNAVAILABLE,
    Reason.IDEMPOTENCY_CONFLICT: ErrorKind.ALREADY_EXISTS,
    Reason.SESSION_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.SESSION_TOKEN_INVALID: ErrorKind.PERMISSION_DENIED,
    Reason.SESSION_ENDED: ErrorKind.FAILED_PRECONDITION,
    Reason.SESSION_LIMIT: ErrorKind.RESOURCE_EXHAUSTED,
    Reason.FRAME_OUT_OF_ORDER: ErrorKind.INVALID_ARGUMENT,
    Reason.FRAME_REPEATED: ErrorKind.INVALID_ARGUMENT,
    Reason.FRAME_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.PUSHER_REPLACED: ErrorKind.ABORTED,
    Reason.IMAGE_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.TRANSITION_REFUSED: ErrorKind.FAILED_PRECONDITION,
    Reason.LANGUAGE_UNKNOWN: ErrorKind.INVALID_ARGUMENT,
    Reason.LIBRARY_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.LIBRARY_EXISTS: ErrorKind.ALREADY_EXISTS,
    Reason.DOCUMENT_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.DOCUMENT_EXISTS: ErrorKind.ALREADY_EXISTS,
    Reason.DOCUMENT_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.REVISION_MISMATCH: ErrorKind.ABORTED,
    Reason.EMBEDDING_MODEL_MISMATCH: ErrorKind.FAILED_PRECONDITION,
    Reason.EMBEDDING_UNAVAILABLE: ErrorKind.FAILED_PRECONDITION,
    Reason.EXPORT_TOKEN_INVALID: ErrorKind.INVALID_ARGUMENT,
    Reason.EXPORT_EXPIRED: ErrorKind.OUT_OF_RANGE,
    Reason.IMPORT_CHECKSUM_MISMATCH: ErrorKind.DATA_LOSS,
    Reason.IMPORT_INCOMPLETE: ErrorKind.INVALID_ARGUMENT,
    Reason.QUERY_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.QUERY_LIMIT: ErrorKind.RESOURCE_EXHAUSTED,
    Reason.REEMBEDDING_RUNNING: ErrorKind.FAILED_PRECONDITION,
    Reason.SUBJECT_NOT_FOUND: ErrorKind.NOT_FOUND,
    Reason.FACE_EXISTS: ErrorKind.ALREADY_EXISTS,
    Reason.CATALOGUE_UNKNOWN: ErrorKind.INVALID_ARGUMENT,
    Reason.NO_FACE: ErrorKind.INVALID_ARGUMENT,
    Reason.SEVERAL_FACES: ErrorKind.INVALID_ARGUMENT,
    Reason.FACE_TOO_SMALL: ErrorKind.INVALID_ARGUMENT,
    Reason.TEMPLATE_FOREIGN: ErrorKind.FAILED_PRECONDITION,
    Reason.PATH_UNKNOWN: ErrorKind.NOT_FOUND,
    Reason.ORIGIN_REFUSED: ErrorKind.PERMISSION_DENIED,
    Reason.BODY_TOO_LARGE: ErrorKind.INVALID_ARGUMENT,
    Reason.RATE_LIMITED: ErrorKind.RESOURCE_EXHAUSTED,
}


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One request field that is wrong: its path (`options.pdf_page`) and what is wrong with it."""

    field: str
    description: str


class DomainError(Exception):
    """A failure that the caller can understand and act on.

    `message` is for people and must hold no personal data: it reaches logs and clients. `metadata` is for
    machines (limits, actual sizes); `retry_after_s`, in seconds, is set where trying again helps.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        fields: tuple[FieldViolation, ...] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.fields = fields
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> ErrorKind:
        """The canonical kind of this failure, decided by its reason alone."""
        return KIND_OF_REASON[self.reason]

    def __repr__(self) -> str:
        return f"DomainError({self.reason}, {self.message!r})"
