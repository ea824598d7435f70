"""Events as people and files write them, before they are published."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict, ParseError

from vidence.event.v1 import event_pb2

_JSON = "application/json"
_BYTES = "application/octet-stream"


class DraftError(Exception):
    """What was given makes no event; the text says why, without repeating it."""


def read_content(given: str) -> tuple[bytes, str]:
    """Takes `--data`: a text, or `@file`; returns the bytes and the media type they probably have.

    Raises:
        DraftError: The file cannot be read.
    """
    if not given.startswith("@"):
        return given.encode(), _JSON
    path = Path(given[1:])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DraftError(f"{click.format_filename(path)}: {error.strerror}") from None
    return content, mimetypes.guess_type(path.name)[0] or _BYTES


def put_payload(event: event_pb2.Event, content: bytes, content_type: str) -> None:
    """Makes `content` what the event carries; JSON that names its message by `@type` becomes that message.

    Raises:
        DraftError: It should be JSON and is none, or its `@type` is not known here or does not fit.
    """
    if content_type == _JSON:
        try:
            value = json.loads(content)
        except ValueError:
            raise DraftError("the data is no JSON; another kind needs --content-type") from None
        if isinstance(value, dict) and isinstance(value.get("@type"), str):
            event.data.CopyFrom(_message(value))
            return
    event.opaque.content_type = content_type
    event.opaque.content = content


def _message(value: dict[str, Any]) -> AnyMessage:
    try:
        return ParseDict(value, AnyMessage())
    except (ParseError, TypeError):
        raise DraftError("the data does not fit its @type, or that is not known here") from None


def read_events(lines: Iterable[str]) -> Iterator[event_pb2.Event]:
    """Reads events from lines of ProtoJSON, as `vidence events list --json` and others write them.

    A line may hold one event, or a response with `events`; empty lines and responses without events are left
    out. What only the server sets is dropped.

    Raises:
        DraftError: A line is neither; the text names it.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            members = json.loads(line)
            held = members.get("events", [members] if "type" in members else [])
            for written in held:
                event = ParseDict(written, event_pb2.Event())
                event.ClearField("cursor")
                event.ClearField("emit_time")
                yield event
        except (ValueError, AttributeError, TypeError, ParseError):
            raise DraftError(f"line {number} is no event in JSON") from None
