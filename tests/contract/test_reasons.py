"""The reasons of the domain and of the wire are the same, and each has a documented sample that is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import grpc
import pytest

from vidence.error.v1 import reason_pb2
from vidence_server.core.errors import KIND_OF_REASON, Reason

PROTO = Path(__file__).resolve().parents[2] / "protos/vidence/error/v1/reason.proto"
ENTRY = re.compile(r"// `([A-Z_]+)`\..*?// Sample: `(\{.*?\})`\n  REASON_([A-Z_]+) = \d+;", re.DOTALL)


def test_wire_and_domain_have_the_same_reasons() -> None:
    names = (value.name for value in reason_pb2.Reason.DESCRIPTOR.values if value.number)
    wire = {name.removeprefix("REASON_") for name in names}
    assert wire == {str(reason) for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_status_and_a_true_sample(reason: Reason) -> None:
    documented = {name: (status, sample) for status, sample, name in ENTRY.findall(PROTO.read_text())}
    status, sample = documented[str(reason)]
    assert status == KIND_OF_REASON[reason].name
    assert status in grpc.StatusCode.__members__
    info = json.loads(sample)
    assert (info["reason"], info["domain"]) == (str(reason), "vidence")
