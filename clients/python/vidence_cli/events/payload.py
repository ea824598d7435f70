"""What an event carries, as members of a JSON object, also where its message is not known here."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from vidence.event.v1 import event_pb2
from vidence.extraction.v1 import extraction_events_pb2

KNOWN = (extraction_events_pb2,)
"""Modules whose messages can be told in words: importing one registers what it defines."""


def event_members(event: event_pb2.Event) -> dict[str, Any]:
    """ProtoJSON of an event; a message that is not known here is told by its bytes, as `value` in base64."""
    try:
        return MessageToDict(event, preserving_proto_field_name=True)
    except (TypeError, DecodeError, JsonError):
        bare = event_pb2.Event()
        bare.CopyFrom(event)
        bare.ClearField("data")
        value = base64.b64encode(event.data.value).decode()
        members: dict[str, Any] = MessageToDict(bare, preserving_proto_field_name=True)
        return {**members, "data": {"@type": event.data.type_url, "value": value}}


def response_members(response: Message) -> dict[str, Any]:
    """ProtoJSON of a response that holds events in a field `events` or `event`, or of any other message."""
    held = getattr(response, "events", None), getattr(response, "event", None)
    match held:
        case (None, event_pb2.Event() as event):
            return {"event": event_members(event)}
        case (events, None) if events and isinstance(events[0], event_pb2.Event):
            bare = type(response)()
            bare.CopyFrom(response)
            bare.ClearField("events")
            rest = MessageToDict(bare, preserving_proto_field_name=True)
            return {"events": [event_members(event) for event in events], **rest}
        case _:
            members: dict[str, Any] = MessageToDict(response, preserving_proto_field_name=True)
            return members


def payload_text(event: event_pb2.Event) -> str:
    """What the event carries, for a person: JSON or text where it is known, else its kind and size."""
    match event.WhichOneof("payload"):
        case "data":
            data = event_members(event)["data"]
            name = event.data.type_url.rpartition("/")[2]
            if set(data) == {"@type", "value"}:
                return f"{name}, {len(event.data.value)} bytes"
            return (
                f"{name} {json.dumps({key: data[key] for key in data if key != '@type'}, ensure_ascii=False)}"
            )
        case "opaque":
            return _opaque_text(event.opaque)
        case _:
            return ""


def _opaque_text(opaque: event_pb2.OpaqueData) -> str:
    kind = opaque.content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind.endswith(("/json", "+json")):
        try:
            return opaque.content.decode()
        except UnicodeDecodeError:
            pass
    return f"{opaque.content_type}, {len(opaque.content)} bytes"
