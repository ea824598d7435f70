"""A suite with several tenants: what the first of them has, and calls of any RPC by its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from e2e_suite import LiveSuite
from eventually import PATIENCE_S
from fakes.access import all_methods, bearer

DOCUMENT: dict[str, Any] = {"document_id": "d1", "text": "acme-secret-words"}
SEARCH = {"query": "secret", "k": 5}
PICTURE = {"content": "/9j/4AAQ"}
TEMPLATE = {"model_name": "any", "model_version": "1", "values": [1.0, 0.0]}
NAMES = ("acme", "globex", "initech", "umbrella", "hooli")
"""The first has something, the second never does anything; the others each have a test."""


@dataclass
class Tenants:
    """A suite with two tenants, and what the first of them has."""

    suite: LiveSuite
    folder: Path
    keys: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    model_id: str = ""
    """A model of vectors that the suite has."""

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.suite.address)

    async def make(self) -> None:
        """Makes one of everything for acme."""
        async with self.channel() as channel:
            acme = Caller(channel, self.keys["acme"])
            await acme.ask("CreateLibrary", library_id="acme-library", without_vectors=True)
            await acme.ask("CreateDocument", library_id="acme-library", document=DOCUMENT)
            vectors = await acme.ask("CreateLibrary", library_id="acme-vectors")
            self.model_id = vectors.library.embedding.model_id
            query = await acme.ask("OpenQuery", library_id="acme-library", search=SEARCH)
            session = await acme.ask("CreateSession", plan={"targets": ["TARGET_FACE"]})
            batch = await acme.ask("CreateBatch")
            job = await acme.ask("SubmitJob", read_document=PICTURE)
            await acme.ask("Publish", events=[event("acme-event")])
        self.ids = {
            "library_id": "acme-library",
            "query_id": query.query_id,
            "session_id": session.session.id,
            "batch_id": batch.batch.batch_id,
            "job_id": job.job.job_id,
        }


@dataclass(frozen=True)
class Caller:
    """Calls any RPC by its name."""

    channel: grpc.aio.Channel
    key: str

    async def ask(self, name: str, **members: Any) -> Any:
        """The first answer."""
        method = METHODS[name]
        request = json_format.ParseDict(members, message_of(method.input_type)())
        return await self.send(method, request)

    async def send(self, method: MethodDescriptor, request: Message, *, to_its_end: bool = False) -> Any:
        """The first answer that is not about the stream, or none; raises what the call fails with."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        coders = {
            "request_serializer": lambda sent: sent.SerializeToString(),
            "response_deserializer": message_of(method.output_type).FromString,
        }

        async def requests() -> AsyncIterator[Message]:
            yield request

        if not method.server_streaming:
            upload: Any = self.channel.stream_unary(path, **coders)
            return await upload(requests(), metadata=bearer(self.key), timeout=PATIENCE_S)
        open_stream: Any = self.channel.stream_stream(path, **coders)
        call = open_stream(requests(), metadata=bearer(self.key), timeout=PATIENCE_S)
        try:
            while (answer := await call.read()) is not grpc.aio.EOF:
                names = {field.name for field, _ in answer.ListFields()}
                if not to_its_end and not names & {"connected", "control"}:
                    return answer
        finally:
            call.cancel()
        return None


METHODS = {method.name: method for method in all_methods() if method.name != "GetStatistics"}
METHODS |= {
    f"{method.containing_service.name}.GetStatistics": method
    for method in all_methods()
    if method.name == "GetStatistics"
}


def message_of(descriptor: Any) -> type[Message]:
    return message_factory.GetMessageClass(descriptor)


def event(name: str) -> dict[str, Any]:
    return {"id": name, "source": "test", "type": "thing.happened", "opaque": {"content_type": "text/plain"}}
