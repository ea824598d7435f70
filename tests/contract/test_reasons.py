"""The reasons of the domain and of the wire are the same, and each has a documented sample that is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from fakes.raised_reasons import RAISERS
from vidence.error.v1 import reason_pb2
from vidence_server.core.errors import KIND_OF_REASON, DomainError, Reason
from vidence_server.runtime.status import to_status

PROTO = Path(__file__).resolve().parents[2] / "protos/vidence/error/v1/reason.proto"
ENTRY = re.compile(r"// `([A-Z_]+)`\..*?// Sample: `(\{.*?\})`\n  REASON_([A-Z_]+) = \d+;", re.DOTALL)

NOT_RAISED_HERE = {
    Reason.CURSOR_FOREIGN: "the event service",
    Reason.CURSOR_EXPIRED: "the event service",
    Reason.SUBSCRIBER_TOO_SLOW: "the event service",
    Reason.EVENT_TOO_LARGE: "the event service",
    Reason.EVENT_NOT_FOUND: "the event service",
    Reason.EVENT_CORRUPT: "the event service",
    Reason.SEQUENCE_MISMATCH: "the event service",
    Reason.PAGE_TOKEN_INVALID: "the event service",
    Reason.DATABASE_IN_USE: "the durable log",
    Reason.DATABASE_INCOMPATIBLE: "the durable log",
    Reason.STORAGE_FULL: "the durable log",
    Reason.STORAGE_FAILED: "the durable log",
    Reason.BLOB_NOT_FOUND: "the store of images",
    Reason.BATCH_NOT_FOUND: "the batch service",
    Reason.BATCH_TOO_MANY_IMAGES: "the batch service",
    Reason.BATCH_TOO_LARGE: "the batch service",
    Reason.BATCH_WRONG_STATE: "the batch service",
    Reason.BATCH_ITEM_CONFLICT: "the batch service",
    Reason.BATCH_EMPTY: "the batch service",
    Reason.BATCH_ITEM_NOT_FOUND: "the batch service",
    Reason.JOB_NOT_FOUND: "the batch service",
    Reason.LEASE_LOST: "the batch service",
    Reason.WORKER_NOT_FOUND: "the batch service",
    Reason.WORKER_LOST: "the batch service",
    Reason.SERVER_LOST: "the extraction service",
    Reason.IDEMPOTENCY_CONFLICT: "the batch service",
    Reason.SESSION_NOT_FOUND: "the capture service",
    Reason.SESSION_TOKEN_INVALID: "the capture service",
    Reason.SESSION_ENDED: "the capture service",
    Reason.SESSION_LIMIT: "the capture service",
    Reason.FRAME_OUT_OF_ORDER: "the capture service",
    Reason.FRAME_REPEATED: "the capture service",
    Reason.FRAME_INVALID: "the capture service",
    Reason.PUSHER_REPLACED: "the capture service",
    Reason.IMAGE_NOT_FOUND: "the capture service",
    Reason.TRANSITION_REFUSED: "the capture service",
    Reason.LANGUAGE_UNKNOWN: "the capture service",
    Reason.LIBRARY_NOT_FOUND: "the library service",
    Reason.LIBRARY_EXISTS: "the library service",
    Reason.DOCUMENT_NOT_FOUND: "the library service",
    Reason.DOCUMENT_EXISTS: "the library service",
    Reason.DOCUMENT_INVALID: "the library service",
    Reason.REVISION_MISMATCH: "the library service",
    Reason.EMBEDDING_MODEL_MISMATCH: "the library service",
    Reason.EMBEDDING_UNAVAILABLE: "the library service",
    Reason.EXPORT_TOKEN_INVALID: "the library service",
    Reason.EXPORT_EXPIRED: "the library service",
    Reason.IMPORT_CHECKSUM_MISMATCH: "the library service",
    Reason.IMPORT_INCOMPLETE: "the library service",
    Reason.QUERY_NOT_FOUND: "the library service",
    Reason.QUERY_LIMIT: "the library service",
    Reason.REEMBEDDING_RUNNING: "the library service",
    Reason.SUBJECT_NOT_FOUND: "the library service",
    Reason.FACE_EXISTS: "the library service",
    Reason.PATH_UNKNOWN: "the bridge",
    Reason.ORIGIN_REFUSED: "the bridge",
    Reason.BODY_TOO_LARGE: "the bridge",
    Reason.RATE_LIMITED: "Envoy, and the guard of the server",
    Reason.CREDENTIAL_MISSING: "the guard of the server",
    Reason.CREDENTIAL_INVALID: "the guard of the server",
    Reason.CREDENTIAL_EXPIRED: "the guard of the server",
    Reason.SCOPE_MISSING: "the guard of the server",
    Reason.TENANT_UNKNOWN: "the guard of the server",
    Reason.CALL_LIMIT: "the guard of the server",
    Reason.REVIEW_CHANGED: "the review service",
    Reason.REVIEW_CLAIMED: "the review service",
    Reason.REVIEW_NOT_FOUND: "the review service",
    Reason.REVIEW_FULL: "the review service",
    Reason.PURGE_NOT_FOUND: "the erasure service",
    Reason.KEY_UNAVAILABLE: "encryption at rest",
    Reason.KEY_UNKNOWN: "encryption at rest",
    Reason.CIPHERTEXT_INVALID: "encryption at rest",
}
"""Reasons whose samples no error is compared with yet, and who raises them."""


def samples() -> dict[str, tuple[str, dict[str, Any]]]:
    """Status and sample by reason, as documented."""
    return {name: (status, json.loads(sample)) for status, sample, name in ENTRY.findall(PROTO.read_text())}


def domain_errors(error: BaseException) -> Iterator[DomainError]:
    """The error itself, or those in a group of them."""
    if isinstance(error, DomainError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from domain_errors(inner)


async def error_info(reason: Reason, folder: Path) -> ErrorInfo:
    """What a client would be told after meeting the reason for real."""
    try:
        await RAISERS[reason](folder)
    except (DomainError, ExceptionGroup) as error:
        (found,) = domain_errors(error)
    else:
        raise AssertionError(f"nothing raised {reason}")
    status = to_status(found, request_id="0199c1f0")
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info


def test_wire_and_domain_have_the_same_reasons() -> None:
    names = (value.name for value in reason_pb2.Reason.DESCRIPTOR.values if value.number)
    wire = {name.removeprefix("REASON_") for name in names}
    assert wire == {str(reason) for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_status_and_a_sample(reason: Reason) -> None:
    status, sample = samples()[str(reason)]
    assert status == KIND_OF_REASON[reason].name
    assert status in grpc.StatusCode.__members__
    assert (sample["reason"], sample["domain"]) == (str(reason), "vidence")


def test_each_sample_is_compared_with_a_real_error_or_listed_as_not_compared() -> None:
    assert RAISERS.keys() | NOT_RAISED_HERE.keys() == set(Reason)
    assert not RAISERS.keys() & NOT_RAISED_HERE.keys()


@pytest.mark.parametrize("reason", RAISERS)
async def test_the_sample_has_the_metadata_of_a_real_error(reason: Reason, tmp_path: Path) -> None:
    info = await error_info(reason, tmp_path)
    _, sample = samples()[str(reason)]
    assert (info.reason, info.domain) == (sample["reason"], sample["domain"])
    assert set(info.metadata) == set(sample["metadata"])
