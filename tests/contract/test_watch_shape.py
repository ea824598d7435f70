"""The shape of watch streams: the same field names and numbers in every RPC that watches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc_tools
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass

ROOT = Path(__file__).resolve().parents[2]
BATCH = "vidence/batch/v1/batch_service.proto"
BUS = "vidence/event/v1/event_service.proto"
CAPTURE = "vidence/capture/v1/capture_service.proto"
LIBRARY = "vidence/library/v1/library_service.proto"
WATCHES = [
    (BUS, "Subscribe"),
    (BUS, "WatchStatistics"),
    (CAPTURE, "WatchSession"),
    (CAPTURE, "WatchSessions"),
    (BATCH, "WatchBatch"),
    ("vidence/job/v1/job_service.proto", "WatchJob"),
    (LIBRARY, "WatchLibrary"),
    ("vidence/review/v1/review_service.proto", "WatchReview"),
    (LIBRARY, "WatchQuery"),
]


def compile_protos(tmp_path: Path, files: list[str]) -> FileDescriptorSet:
    output = tmp_path / "descriptors.binpb"
    includes = [
        ROOT / "protos",
        ROOT / "third_party/googleapis",
        ROOT / "third_party/protovalidate",
        Path(grpc_tools.__file__).parent / "_proto",
    ]
    command = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{path}" for path in includes)]
    command += ["--include_imports", f"--descriptor_set_out={output}"]
    subprocess.run([*command, *files], check=True)
    return FileDescriptorSet.FromString(output.read_bytes())


def message(files: FileDescriptorSet, name: str) -> DescriptorProto:
    return next(m for file in files.file for m in file.message_type if m.name == name)


def numbers(descriptor: DescriptorProto) -> dict[str, int]:
    return {field.name: field.number for field in descriptor.field}


@pytest.mark.requirement("R-ST2")
@pytest.mark.parametrize(("proto", "rpc"), WATCHES)
def test_every_watch_rpc_fits_the_shared_shape(proto: str, rpc: str, tmp_path: Path) -> None:
    files = compile_protos(tmp_path, [proto])
    response = message(files, f"{rpc}Response")
    assert numbers(response) == {"events": 1, "control": 2, "cursor": 3, "previous_cursor": 4}
    events, control = response.field[0], response.field[1]
    assert events.label == FieldDescriptorProto.LABEL_REPEATED
    assert control.type_name == ".vidence.stream.v1.StreamControl"
    event = numbers(message(files, events.type_name.rsplit(".", 1)[1]))
    assert (event["cursor"], event["sequence"], event["emit_time"]) == (1, 2, 3)
    request = numbers(message(files, f"{rpc}Request"))
    shared = {"after_cursor": 1, "since_time": 2, "position": 3, "on_expired": 4, "on_overflow": 5}
    assert shared.items() <= request.items()


@pytest.mark.requirement("R-ST2")
def test_entries_encoded_apart_join_into_one_response(tmp_path: Path) -> None:
    """Repeated fields concatenate and fields may be appended: the fan-out joins bytes and encodes once."""
    files = compile_protos(tmp_path, [BATCH])
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    event_class = GetMessageClass(pool.FindMessageTypeByName("vidence.batch.v1.BatchEvent"))
    response_class = GetMessageClass(pool.FindMessageTypeByName("vidence.batch.v1.WatchBatchResponse"))
    joined = b""
    for offset in (1, 2, 3):
        body = event_class(sequence=offset, batch_id="bat_1").SerializeToString()
        body += event_class(cursor=f"c{offset}").SerializeToString()  # appended once the offset is known
        assert len(body) < 128  # so that its length is one byte
        joined += b"\x0a" + bytes([len(body)]) + body
    response: Any = response_class.FromString(joined)
    assert [(event.sequence, event.cursor) for event in response.events] == [(1, "c1"), (2, "c2"), (3, "c3")]
