"""`/openapi.json` (OpenAPI 3.1) and `/asyncapi.json` (AsyncAPI 3.0), from the protos and the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor

from vidence_server.bridge.contract import Binding, Contract, Rpc, descriptor_of, message_class
from vidence_server.bridge.forms import takes_files
from vidence_server.bridge.framing import HTTP_BODY
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.schemas import Schemas
from vidence_server.bridge.services import ALIASES, SOCKETS

Json = dict[str, Any]

_STATUS = "google.rpc.Status"
_MAX_DEPTH = 3
_ITEM: Json = {
    "type": "object",
    "description": "One event, as `data` of SSE and WebSocket.",
    "required": ["session_id", "timestamp", "sequence", "type", "data"],
    "properties": {
        "session_id": {"type": ["string", "null"], "description": "The session it belongs to, if any."},
        "timestamp": {"type": ["string", "null"], "format": "date-time", "description": "`emit_time`."},
        "sequence": {"type": "integer", "description": "Place in the stream; 0 where it has none."},
        "type": {"type": "string", "description": "Name of the payload, or type of an event of the bus."},
        "data": {"type": "object", "description": "The payload."},
    },
}


def openapi(contract: Contract, version: str) -> Json:
    """Every path of the suite."""
    schemas = Schemas(contract.files)
    schemas.message(descriptor_of(message_class(contract.pool, _STATUS)))
    paths: dict[str, Json] = {}
    operations: dict[tuple[str, str], Json] = {}
    for rpc, binding in contract.bound():
        operation = _operation(rpc, binding, schemas)
        place = (_public(binding.template.text), binding.verb.lower())
        operations.setdefault(place, operation)
    for (path, verb), operation in sorted(operations.items()):
        paths.setdefault(path, {})[verb] = operation
    for alias, meant in ALIASES.items():
        fit = next((path for path in paths if _shape(path) == _shape(meant)), None)
        if fit is not None:
            paths[alias] = {
                verb: {**operation, "operationId": f"{operation['operationId']}_alias", "deprecated": True}
                for verb, operation in paths[fit].items()
            }
    paths["/health"] = {"get": _health()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vidence",
            "version": version,
            "description": "The suite over HTTP: every RPC that HTTP can carry. Streams are NDJSON, or SSE "
            "with `Accept: text/event-stream`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": service} for line in contract.lines for service in contract.services_of(line)],
        "paths": paths,
        "components": {"schemas": {**schemas.components, "StreamItem": _ITEM}},
    }


def asyncapi(contract: Contract, version: str) -> Json:
    """The WebSockets."""
    channels: Json = {}
    operations: Json = {}
    for path, meant in SOCKETS.items():
        match = contract.match("GET", PathTemplate(meant).fill({"id": "x"}))
        if match is None:
            continue
        name = path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
        channels[name] = _channel(path, match.rpc)
        reference = {"$ref": f"#/channels/{name}"}
        operations[f"{name}_tell"] = {"action": "send", "channel": reference}
        operations[f"{name}_hear"] = {
            "action": "receive",
            "channel": reference,
            "messages": [{"$ref": f"#/channels/{name}/messages/{kind}"} for kind in ("ping", "pong")],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vidence over WebSocket",
            "version": version,
            "description": "JSON texts. A ping comes at once and every 30 s; who is silent for 60 s is "
            "closed (1008). Close code 1000: what was watched is over; 1012: connect again with `?after=`.",
        },
        "channels": channels,
        "operations": operations,
        "components": {"schemas": {"StreamItem": _ITEM}},
    }


def _operation(rpc: Rpc, binding: Binding, schemas: Schemas) -> Json:
    summary, _, rest = rpc.comment.partition("\n\n")
    operation: Json = {
        "operationId": f"{rpc.service.rpartition('.')[2]}_{rpc.name}",
        "tags": [rpc.service],
        "summary": " ".join(summary.split()),
        "parameters": list(_parameters(rpc, binding, schemas)),
        "responses": {
            "200": {"description": "It worked.", "content": _answers(rpc, schemas)},
            "default": {
                "description": "It failed; `details` hold ErrorInfo with the reason.",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_STATUS}"}}},
            },
        },
    }
    if rest:
        operation["description"] = rest
    if binding.body:
        operation["requestBody"] = {"required": True, "content": _bodies(rpc, binding, schemas)}
    return operation


def _parameters(rpc: Rpc, binding: Binding, schemas: Schemas) -> Iterator[Json]:
    in_path = binding.template.variables
    for name in in_path:
        field = descriptor_of(rpc.request).fields_by_name.get(name)
        schema = {"type": "string"} if field is None else schemas.field(field)
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if rpc.is_watch:
        yield {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "Sent by EventSource: resumes after this cursor.",
            "schema": {"type": "string"},
        }
    if binding.body != "*":
        taken = {*in_path, binding.body}
        yield from _in_query(descriptor_of(rpc.request), "", taken, schemas, _MAX_DEPTH)


def _in_query(kind: Descriptor, prefix: str, taken: set[str], schemas: Schemas, depth: int) -> Iterator[Json]:
    for field in kind.fields:
        name = prefix + field.name
        if name in taken:
            continue
        schema = schemas.field(field)
        inner = field.message_type
        if inner is None or inner.full_name.startswith("google.protobuf."):
            yield {"name": name, "in": "query", "schema": schema}
        elif not field.is_repeated and not inner.GetOptions().map_entry and depth > 0:
            yield from _in_query(inner, f"{name}.", taken, schemas, depth - 1)


def _bodies(rpc: Rpc, binding: Binding, schemas: Schemas) -> Json:
    kind = descriptor_of(rpc.request)
    field = kind.fields_by_name.get(binding.body)
    schema = schemas.message(kind) if field is None else schemas.field(field)
    if rpc.client_streaming:
        return {"application/x-ndjson": {"schema": schema}}
    bodies: Json = {"application/json": {"schema": schema}}
    if takes_files(kind):
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        properties = {"files": files}
        bodies["multipart/form-data"] = {"schema": {"type": "object", "properties": properties}}
    return bodies


def _answers(rpc: Rpc, schemas: Schemas) -> Json:
    kind = descriptor_of(rpc.response)
    schema = schemas.message(kind)
    if not rpc.server_streaming:
        return {"application/json": {"schema": schema}}
    if kind.full_name == HTTP_BODY:
        return {"application/x-ndjson": {"schema": schema}}
    item = {"$ref": "#/components/schemas/StreamItem"}
    return {"application/x-ndjson": {"schema": schema}, "text/event-stream": {"schema": item}}


def _health() -> Json:
    states = {"type": "object", "additionalProperties": {"type": "string"}}
    properties = {"status": {"type": "string"}, "version": {"type": "string"}, "services": states}
    content = {"application/json": {"schema": {"type": "object", "properties": properties}}}
    return {
        "operationId": "health",
        "summary": "Tells which services are ready.",
        "responses": {
            "200": {"description": "At least one is: `ok` or `degraded`.", "content": content},
            "503": {"description": "None is: `unavailable`.", "content": content},
        },
    }


def _channel(path: str, rpc: Rpc) -> Json:
    stamp = {"type": "string", "format": "date-time"}
    item = {"$ref": "#/components/schemas/StreamItem"}
    kinds: dict[str, Json] = {
        "event": {"cursor": {"type": "string", "description": "Resume after it: `?after=`."}, "data": item},
        "error": {"message": {"type": "string"}, "data": {"type": "object"}},
        "ping": {},
        "pong": {},
    }
    messages = {
        kind: {
            "payload": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"const": kind}, **members, "timestamp": stamp},
            }
        }
        for kind, members in kinds.items()
    }
    parameters: Json = {name: {} for name in PathTemplate(path).variables}
    return {
        "address": path,
        "description": rpc.comment,
        "messages": messages,
        **({"parameters": parameters} if parameters else {}),
    }


def _public(template: str) -> str:
    """A template as OpenAPI writes it: `{name=libraries/*}` is `{name}` there."""
    return re.sub(r"\{([a-z0-9_.]+)=[^}]+\}", r"{\1}", template)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)
