"""Streams of lines over gRPC: bodies of newline-delimited JSON, in and out."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any, Protocol

import structlog
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from vidence_server.core.errors import DomainError
from vidence_server.library.domain.documents import Kept
from vidence_server.library.domain.exports import (
    Checkpoint,
    DocumentLines,
    ExportComplete,
    ExportEvent,
    ExportStarted,
)
from vidence_server.library.domain.libraries import Library
from vidence_server.library.ingest import Result
from vidence_server.runtime.rpc import current_rpc
from vidence_server.runtime.status import defect, domain_error_of, to_status

MEDIA_TYPE = "application/x-ndjson"


class BodyMessage(Protocol):
    """A message with a part of a body."""

    @property
    def content(self) -> HttpBody:
        """The part."""
        ...


async def body_of(first: BodyMessage, rest: AsyncIterator[BodyMessage]) -> AsyncIterator[bytes]:
    """The parts of a body whose first message was read."""
    yield first.content.data
    async for message in rest:
        yield message.content.data


async def served(
    lines: AsyncGenerator[bytes, None], failed: Callable[[Status], bytes]
) -> AsyncGenerator[HttpBody, None]:
    """Answers with a body; a failure is its last line, and the status too.

    Args:
        lines: Whole lines.
        failed: Makes the line of a failure.

    Raises:
        DomainError: What the lines raised.
    """
    try:
        async with aclosing(lines):
            async for data in lines:
                yield HttpBody(content_type=MEDIA_TYPE, data=data)
    except Exception as error:  # noqa: BLE001  # whatever is raised must reach the client as a line
        failure = domain_error_of(error)
        if failure is None:
            structlog.get_logger(__name__).error("body failed", exc_info=error)
            failure = defect()
        yield HttpBody(content_type=MEDIA_TYPE, data=failed(to_status(failure, request_id())))
        raise failure from None


def line_of(member: str, value: Any) -> bytes:
    """A line with one member."""
    return json.dumps({member: value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def message_line(member: str, message: Message) -> bytes:
    """A line with one member, a message with all its fields."""
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return line_of(member, fields)


def result_lines(results: Iterable[Result]) -> bytes:
    """Status lines of documents."""
    return b"".join(line_of("result", _result(each)) for each in results)


def export_line(event: ExportEvent, describe: Callable[[Library], Any]) -> bytes:
    """What an export tells.

    Args:
        event: It.
        describe: Makes the message of a library.
    """
    match event:
        case DocumentLines(data):
            return data
        case Checkpoint(place):
            count = str(place.document_count)
            return line_of("checkpoint", {"resume_token": place.token(), "document_count": count})
        case ExportStarted(library, revision, documents, resumed):
            started = {
                "library": MessageToDict(describe(library), preserving_proto_field_name=True),
                "revision": str(revision),
                "document_count": str(documents),
                "resumed_count": str(resumed),
            }
            return line_of("export_started", started)
        case ExportComplete(documents, checksum):
            complete = {"document_count": str(documents), "checksum": checksum.hex()}
            return line_of("export_complete", complete)


def failure_line(member: str, status: Status) -> bytes:
    """The last line of a body that failed."""
    return line_of(member, {"status": _status(status)})


def request_id() -> str:
    """Names the call in flight."""
    rpc = current_rpc()
    return "" if rpc is None else rpc.request_id


def _result(result: Result) -> dict[str, Any]:
    outcome: Kept | DomainError = result.outcome
    told: dict[str, Any] = {"line": str(result.offered.line), "document_id": result.offered.document_id}
    if isinstance(outcome, DomainError):
        return told | {"error": _status(to_status(outcome, request_id()))}
    return told | {
        "state": f"INGEST_STATE_{outcome.state.name}",
        "revision": str(outcome.revision),
        "version": str(outcome.version),
    }


def _status(status: Status) -> dict[str, Any]:
    fields: dict[str, Any] = MessageToDict(status, preserving_proto_field_name=True)
    return fields
