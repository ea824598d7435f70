"""The proto comment is the spec: each streaming RPC states order, start, resume, end, limits and a sample."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROTOS = Path(__file__).resolve().parents[2] / "protos"
RPC = re.compile(r"((?:  //[^\n]*\n)+)  rpc (\w+)\([^)]*\) returns \(stream \w+\)")

PARTS = ["Order and guarantees:", "Start and resume:", "End:", "Limits:", "Sample:", "// 1. `"]


def streaming_rpcs() -> list[tuple[str, str]]:
    found = []
    for path in PROTOS.rglob("*_service.proto"):
        found += [(name, comment) for comment, name in RPC.findall(path.read_text())]
    return found


def test_there_are_streaming_rpcs() -> None:
    assert "ExtractDocument" in dict(streaming_rpcs())


@pytest.mark.requirement("R-ST1")
@pytest.mark.parametrize(("name", "comment"), streaming_rpcs())
@pytest.mark.parametrize("part", PARTS)
def test_each_streaming_rpc_states_its_contract(name: str, comment: str, part: str) -> None:
    assert part in comment
