"""`vidence smoke` against the real suite and through a real Envoy."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import grpc
import pytest

from e2e.bridge_door import Door
from e2e.bus_process import free_port
from e2e_suite import LiveSuite
from vidence.batch.v1 import batch_service_pb2 as batches
from vidence.batch.v1 import batch_service_pb2_grpc as batches_grpc
from vidence.capture.v1 import capture_service_pb2 as capture
from vidence.capture.v1 import capture_service_pb2_grpc as capture_grpc
from vidence.capture.v1 import session_pb2
from vidence.library.v1 import library_service_pb2 as libraries
from vidence.library.v1 import library_service_pb2_grpc as libraries_grpc

SMOKE = [sys.executable, "-c", "from vidence_cli.main import main; main()", "smoke"]
PATIENT = ("--deadline", "280")
"""The promise is 60 s on a machine of its own."""


def smoke(*arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run([*SMOKE, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def of_verdict(report: dict[str, Any], verdict: str) -> list[dict[str, Any]]:
    return [probe for probe in report["probes"] if probe["verdict"] == verdict]


def left_behind(address: str) -> dict[str, list[str]]:
    """What the probes may have made, and that is there still."""
    with grpc.insecure_channel(address) as channel:
        found = libraries_grpc.LibraryServiceStub(channel).ListLibraries(libraries.ListLibrariesRequest())
        sessions = capture_grpc.CaptureServiceStub(channel).ListSessions(capture.ListSessionsRequest())
        kept = batches_grpc.BatchServiceStub(channel).ListBatches(batches.ListBatchesRequest(page_size=1000))
    over = (session_pb2.SESSION_STATE_CANCELLED, session_pb2.SESSION_STATE_FAILED)
    return {
        "libraries": [one.library_id for one in found.libraries if one.library_id.startswith("smoke-")],
        "sessions": [
            one.id
            for one in sessions.sessions
            if one.plan.reference.startswith("smoke-") and one.state not in over
        ],
        "batches": [one.batch_id for one in kept.batches],
    }


@pytest.mark.requirement("R-OP4", "R-WE2")
def test_every_rpc_and_every_path_answers_and_nothing_is_left(suite: LiveSuite, door: Door) -> None:
    before = left_behind(suite.address)["batches"]
    code, report, errors = smoke(suite.address, "--http", door.url, *PATIENT)
    assert (of_verdict(report, "failed"), of_verdict(report, "absent")) == ([], []), errors
    assert (code, report["ok"]) == (0, True)
    assert left_behind(suite.address) == {"libraries": [], "sessions": [], "batches": before}


@pytest.mark.requirement("R-OP4", "R-WE1")
def test_through_envoy_all_but_what_is_for_workers_answers(door: Door) -> None:
    code, report, errors = smoke(f"127.0.0.1:{door.port}", *PATIENT)
    assert of_verdict(report, "failed") == [], errors
    assert code == 0
    assert {probe["told"] for probe in of_verdict(report, "absent")} == {"for the suite's own processes"}
    assert len(of_verdict(report, "absent")) == 5


@pytest.mark.requirement("R-OP4")
def test_an_address_where_nothing_answers_is_told_with_its_own_exit_code() -> None:
    code, report, errors = smoke(f"127.0.0.1:{free_port()}", "--deadline", "1")
    assert (code, report) == (3, {})
    assert "nothing answers" in errors
