"""Changed pictures on every RPC that takes one: read or refused, never a crash or a defect."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.rpc import error_details_pb2, status_pb2

from e2e.test_mutated_messages import DISHONEST, each, nothing_is_left
from e2e_suite import LiveSuite, start_suite, stop_suite
from fakes.access import all_methods
from fakes.mutated_images import formats, mutants
from fakes.mutated_messages import ids, seeds
from vidence.capture.v1 import session_pb2
from vidence.library.v1 import library_service_pb2 as library
from vidence_cli.smoke.contract import Rpc, known_rpcs
from vidence_cli.smoke.picture import as_json
from vidence_cli.smoke.probe import Kept
from vidence_client import Client

ROUNDS, SOAK_ROUNDS = 1, 200
PICTURES = int(os.environ.get("VIDENCE_TEST_MUTATED_PICTURES", "8"))
"""Of those that one round makes, so many: each goes to every RPC and is read there. The soak takes all."""
READ = "vidence.extraction.v1.ExtractionService/ReadDocument"
AT_ONCE = 4
DEADLINE_S = 100.0
"""Of a call; a loaded machine reads slowly."""
LIBRARY, SERVICE = "mutated-faces", "vidence.library.v1.LibraryService"
TAKERS = {
    *("BatchService/AddBatchItem", "BatchService/ProcessBatch", "BatchService/ReadBatch"),
    *("BatchService/UploadBatch", "CaptureService/PushFrame", "CaptureService/PushFrames"),
    *("ExtractionService/ExtractDocument", "ExtractionService/ReadDocument", "JobService/SubmitJob"),
    *("FaceService/AssessQuality", "FaceService/CheckLiveness", "FaceService/CompareFaces"),
    *("FaceService/DetectFaces", "FaceService/EmbedFaces"),
    *("LibraryService/EnrollFace", "LibraryService/SearchFaces"),
}
"""RPCs with a picture in their request."""
NO_PICTURES = {
    "google.api.HttpBody.data",
    "google.protobuf.Any.value",
    "vidence.event.v1.OpaqueData.content",
    "vidence.library.v1.FaceTemplate.data",
    "vidence.library.v1.Vector.data",
}
"""Fields of bytes in requests that hold something else."""


@pytest.fixture(scope="module")
def target() -> Iterator[LiveSuite]:
    live = start_suite()
    try:
        asyncio.run(make_library(live.address))
        yield live
    finally:
        stop_suite(live)


async def make_library(address: str) -> None:
    async with Client(address) as client:
        await client.libraries.create(LIBRARY, without_vectors=True)


@dataclass(frozen=True)
class Answer:
    """How a call ended, and by the server's own words why."""

    code: grpc.StatusCode
    reason: str = ""


async def with_picture(client: Client, content: bytes) -> list[tuple[Rpc, list[bytes]]]:
    """A request of every RPC that takes a picture, with this one; sessions and batches are there."""
    kept: Kept = ids(Kept("mutated", as_json(content)))
    plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_DOCUMENT_FRONT])
    created = await client.capture.create_session(plan)
    kept["session"], kept["session_token"] = created.session.id, created.session_token
    kept["batch"] = (await client.batches.create()).batch_id
    found = [(rpc, sent) for rpc, sent in seeds(kept) if any(content in one for one in sent)]
    # Those of the library take a template or a picture; their usual requests have a template.
    for rpc, request in (
        ("EnrollFace", library.EnrollFaceRequest(library_id=LIBRARY, subject_id="s", image=content)),
        ("SearchFaces", library.SearchFacesRequest(library_id=LIBRARY, image=content)),
    ):
        found.append((known_rpcs()[f"{SERVICE}/{rpc}"], [request.SerializeToString()]))
    return found


async def ended(channel: Any, rpc: Rpc, messages: Sequence[bytes]) -> Answer:
    """How a call ends; a stream is read to its end."""
    path = f"/{rpc.name}"
    try:
        if not rpc.server_streaming:
            await channel.stream_unary(path)(each(messages), timeout=DEADLINE_S)
        else:
            call = channel.stream_stream(path)(each(messages), timeout=DEADLINE_S)
            while await call.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return Answer(error.code(), _reason(error))
    return Answer(grpc.StatusCode.OK)


def _reason(error: grpc.aio.AioRpcError) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""


async def answers(
    target: LiveSuite, pictures: Sequence[bytes], only: str | None = None
) -> dict[str, list[Answer]]:
    """How calls with these pictures end, by RPC; of one RPC, where one is named."""
    found: dict[str, list[Answer]] = {}
    turns = asyncio.Semaphore(AT_ONCE)
    async with Client(target.address) as client, grpc.aio.insecure_channel(target.address) as channel:

        async def ask(rpc: Rpc, messages: Sequence[bytes]) -> None:
            async with turns:
                found.setdefault(rpc.name, []).append(await ended(channel, rpc, messages))

        for content in pictures:
            async with asyncio.TaskGroup() as group:
                for rpc, messages in await with_picture(client, content):
                    if only in {None, rpc.name}:
                        group.create_task(ask(rpc, messages))
    return found


async def check(
    target: LiveSuite, rounds: int, seed: int, count: int | None = None
) -> dict[str, list[Answer]]:
    pictures = [content for _, content in mutants(random.Random(seed), rounds) if content]
    if count is not None:
        # From the whole row, so that formats and both places of a change have their turn.
        taken = min(count, len(pictures))
        pictures = [pictures[index * len(pictures) // taken] for index in range(taken)]
    found = await answers(target, pictures)
    assert {name.rpartition(".")[2] for name in found} == TAKERS
    said = {(name, answer) for name, several in found.items() for answer in several}
    assert {one for one in said if one[1].code in DISHONEST} == set(), f"seed {seed}"
    # Whatever is refused is refused for a reason that a program can read.
    refused = {one for one in said if one[1].code is not grpc.StatusCode.OK}
    assert {one for one in refused if not one[1].reason} == set(), f"seed {seed}"
    await nothing_is_left(target, seed)
    return found


@pytest.mark.requirement("R-EX7", "R-OP5")
@pytest.mark.timeout(600)
async def test_changed_pictures_are_read_or_refused_on_every_rpc_that_takes_one(target: LiveSuite) -> None:
    found = await check(target, ROUNDS, seed=20261122, count=PICTURES)
    # Some are good enough to be read, others are not: changes reach decoders, and what is behind them.
    read = found[READ]
    assert {"", "IMAGE_CORRUPT"} <= {answer.reason for answer in read}


@pytest.mark.requirement("R-EX7")
def test_no_rpc_that_takes_bytes_is_left_out() -> None:
    """A new field of bytes is a picture, or listed here."""
    found = {
        f"{one.containing_service.name}/{one.name}"
        for one in all_methods()
        if fields_of_bytes(one.input_type) - NO_PICTURES
    }
    assert found == TAKERS


def fields_of_bytes(message: Descriptor, seen: frozenset[str] = frozenset()) -> set[str]:
    """Fields of bytes of a message and of those within it, by their full names."""
    found: set[str] = set()
    if message.full_name in seen:
        return found
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_BYTES:
            found.add(field.full_name)
        elif field.message_type is not None:
            found |= fields_of_bytes(field.message_type, seen | {message.full_name})
    return found


@pytest.mark.requirement("R-EX7")
async def test_unchanged_pictures_are_read(target: LiveSuite) -> None:
    """So what is refused above is refused for what was changed."""
    found = await answers(target, list(formats().values()), only=READ)
    assert len(found[READ]) == len(formats())
    assert [answer.reason for answer in found[READ] if answer.code is not grpc.StatusCode.OK] == []


@pytest.mark.soak
@pytest.mark.requirement("R-EX7", "R-OP5")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(3))
async def test_changed_pictures_for_long(target: LiveSuite, seed: int) -> None:
    await check(target, SOAK_ROUNDS, seed)
