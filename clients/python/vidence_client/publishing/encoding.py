"""Events as bytes: fields are appended and messages are joined without decoding anything.

In the protobuf encoding a message may be extended by appending fields, and of a field that stands twice the
last one counts (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from google.protobuf import any_pb2
from google.protobuf.message import Message

from vidence.event.v1 import event_pb2

MAX_EVENT_BYTES = 64_000
"""Most bytes of an encoded event; the server refuses larger ones."""
MIN_BUFFER_BYTES = 65_536
"""Room for the largest event and its name."""
_SOURCE_TAG = b"\x22"  # field 4 of Event, length-delimited
_ID_TAG = b"\x2a"  # field 5 of Event
_EVENTS_TAG = 0x0A  # field 1 of PublishStreamRequest
_DURABILITY_TAG = b"\x10"  # field 2 of PublishStreamRequest, varint


def make_event(
    type: str,  # noqa: A002 - the field's name
    *,
    source: str = "",
    subject: str = "",
    id: str = "",  # noqa: A002 - the field's name
    sequence: int = 0,
    data: Message | None = None,
    content: bytes = b"",
    content_type: str = "",
    occurrence_time: datetime | None = None,
    severity: event_pb2.Severity.ValueType = event_pb2.SEVERITY_UNSPECIFIED,
    attributes: Mapping[str, str] | None = None,
) -> event_pb2.Event:
    """Makes an event; every argument is the field of that name in `vidence.event.v1.Event`.

    Args:
        type: What kind of event it is, `<noun>.<past participle>`.
        source: Who tells it.
        subject: What it is about.
        id: Names it within its source; empty: a publisher gives one.
        sequence: The publisher's own count, from 1; 0: none.
        data: The payload as a message.
        content: The payload as bytes; excludes `data`.
        content_type: Media type of `content`.
        occurrence_time: When it happened, with a time zone.
        severity: How much attention it deserves.
        attributes: Further properties to filter by.

    Raises:
        ValueError: Both `data` and `content_type` are given, or `content` without its type.
    """
    if content_type and data is not None:
        raise ValueError("an event has `data` or `content`, not both")
    if content and not content_type:
        raise ValueError("`content` needs its `content_type`")
    event = event_pb2.Event(
        type=type,
        source=source,
        subject=subject,
        id=id,
        sequence=sequence,
        severity=severity,
        attributes=attributes,
    )
    if data is not None:
        _pack(event.data, data)
    elif content_type:
        event.opaque.content_type = content_type
        event.opaque.content = content
    if occurrence_time is not None:
        event.occurrence_time.FromDatetime(occurrence_time)
    return event


def _pack(target: any_pb2.Any, data: Message) -> None:
    if isinstance(data, any_pb2.Any):
        target.CopyFrom(data)
    else:
        target.Pack(data)


def naming(source: str, prefix: str) -> Callable[[int], bytes]:
    """Gives the function that encodes source and id of the event with a number.

    Args:
        source: Of all events; empty: each event says its own.
        prefix: Begins every id; `<prefix>-<number>` is the id.
    """
    encoded = source.encode()
    start = _SOURCE_TAG + varint(len(encoded)) + encoded if encoded else b""
    text = prefix.encode()

    def name(number: int) -> bytes:
        id_ = b"%b-%d" % (text, number)
        return b"%b%b%c%b" % (start, _ID_TAG, len(id_), id_)

    return name


def request_of(events: Sequence[bytes], durability: int) -> bytes:
    """Joins encoded events into an encoded `PublishStreamRequest`."""
    parts: list[bytes] = []
    for event in events:
        parts.append(_head(len(event)))
        parts.append(event)
    if durability:
        parts.append(_DURABILITY_TAG + varint(durability))
    return b"".join(parts)


def _head(size: int) -> bytes:
    if size < 0x80:
        return bytes((_EVENTS_TAG, size))
    if size < 0x4000:
        return bytes((_EVENTS_TAG, size & 0x7F | 0x80, size >> 7))
    return bytes((_EVENTS_TAG, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14))


def varint(value: int) -> bytes:
    """Encodes a number that is not negative."""
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
