"""Responses of streams as single items: what SSE and WebSocket carry one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from vidence_server.bridge.contract import Rpc, descriptor_of
from vidence_server.bridge.plain import Plain, to_plain

_ENVELOPE = ("cursor", "sequence", "emit_time")
_ENDED = "DISCONNECT_REASON_ENDED"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a stream tells."""

    cursor: str
    """Where to resume after it; empty in streams that cannot be resumed."""
    name: str
    """What it is: the name of its payload, or the type of an event of the bus."""
    envelope: Plain
    """{session_id, timestamp, sequence, type, data}, and further ids where the event has them."""

    @property
    def ends_for_good(self) -> bool:
        """Whether what was watched is over."""
        return self.name == "disconnected" and self.envelope["data"].get("reason") == _ENDED


def items_of(rpc: Rpc, response: Message, pool: DescriptorPool) -> Iterator[Item]:
    """The items of a response, in order."""
    if not rpc.is_watch:
        yield _item(response, pool)
        return
    for event in getattr(response, "events", ()):
        yield _item(event, pool)
    for name in ("control", "pong"):
        if name in response.DESCRIPTOR.fields_by_name and response.HasField(name):
            yield _control(getattr(response, name), getattr(response, "cursor", ""), pool)


def _item(event: Message, pool: DescriptorPool) -> Item:
    """An event of a watch stream, or a response of a result stream: both have the same envelope."""
    members = to_plain(event, pool)
    fields = descriptor_of(event).fields_by_name
    envelope: Plain = {
        "session_id": members.get("session_id"),
        "timestamp": members.get("emit_time"),
        "sequence": getattr(event, "sequence", 0),
    }
    ids = {name for name, field in fields.items() if _is_id(field) and name in members}
    envelope |= {name: members[name] for name in ids}
    payload = event.WhichOneof("payload") if "payload" in event.DESCRIPTOR.oneofs_by_name else None
    kind = fields.get("type")
    if kind is not None and kind.type == FieldDescriptor.TYPE_STRING:
        name = members.get("type", "")
        data = {key: value for key, value in members.items() if key not in _ENVELOPE}
    elif payload is not None:
        name, data = payload, members[payload]
    else:
        name, data = "message", members
    return Item(getattr(event, "cursor", ""), name, {**envelope, "type": name, "data": data})


def _control(control: Message, cursor: str, pool: DescriptorPool) -> Item:
    name = control.WhichOneof("control") if "control" in control.DESCRIPTOR.oneofs_by_name else "pong"
    members = to_plain(control, pool)
    data = members.get(name, {}) if name != "pong" else members
    return Item(
        cursor,
        name or "control",
        {"session_id": None, "timestamp": None, "sequence": 0, "type": name, "data": data},
    )


def _is_id(field: FieldDescriptor) -> bool:
    return field.name.endswith("_id") and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
