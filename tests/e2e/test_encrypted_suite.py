"""The suite as operators start it, with encryption on: what it keeps, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format

from e2e.test_capture_models import sample_on_desk
from e2e_suite import LiveSuite, start_suite, stop_suite
from fakes.capture_models import frames_of
from fakes.erasure import files_with
from vidence.capture.v1 import capture_service_pb2 as capture_pb
from vidence.capture.v1 import session_pb2
from vidence.library.v1 import face_pb2
from vidence_client import VidenceError, sync
from vidence_client.batch_files import BatchFile
from vidence_client.capture import SessionKey

pytestmark = [pytest.mark.requirement("R-OP5"), pytest.mark.timeout(900)]
VIDENCE = str(Path(sys.executable).with_name("vidence"))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
PLAN = {
    "targets": ["TARGET_DOCUMENT_FRONT"],
    "hold": {"stable_frames": 3, "stable_duration": "0s", "countdown_duration": "0s"},
}
PAGE = JPEG + b"a page that nobody else may see " * 20_000
"""Two and a half chunks; nobody reads it."""
TEMPLATE = np.random.default_rng(7).normal(size=128).astype("<f4")


@dataclass
class Kept:
    """What the suite was given, by where it gives it back."""

    batch_id: str = ""
    images: dict[str, bytes] = field(default_factory=dict)
    """Captured ones, by id."""


@contextmanager
def client_of(environ: dict[str, str]) -> Iterator[tuple[LiveSuite, sync.Client]]:
    """A suite and somebody who calls it."""
    suite = start_suite("all", environ=environ)
    try:
        with sync.Client(suite.address) as client:
            yield suite, client
    finally:
        stop_suite(suite)


def vidence(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VIDENCE, *words],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def refusal(environ: dict[str, str]) -> tuple[int, dict[str, object], str]:
    """How a start ends that is refused: exit code, the entry of the log, and what people read."""
    done = vidence(environ, "serve", "batch")
    lines = done.stderr.splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    told = [line for line in lines if line.startswith("vidence: ")]
    assert len(told) == 1, done.stderr
    (entry,) = (entry for entry in entries if entry["event"] == "cannot serve")
    assert not [entry for entry in entries if entry["event"] == "listening"]
    assert "Traceback" not in done.stderr
    return done.returncode, entry, told[0]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    keys = tmp_path / "keys.json"
    made = vidence({}, "encryption", "new-key", "--file", str(keys))
    assert made.returncode == 0, made.stderr
    return {
        "VIDENCE_DATA_DIR": str(tmp_path / "data"),
        "VIDENCE_ENCRYPTION__MODE": "key_file",
        "VIDENCE_ENCRYPTION__KEY_FILE": str(keys),
        "VIDENCE_ENCRYPTION__ACCEPT_PLAIN": "false",
        "VIDENCE_BATCH__WORKERS": "0",
        "VIDENCE_SERVER__PORT": "0",
        "VIDENCE_METRICS__PORT": "0",
        "VIDENCE_LOG__FORMAT": "json",
    }


def test_what_is_kept_is_readable_over_the_api_only_and_with_its_key_only(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    data = tmp_path / "data"
    with client_of(environ) as (_, client):
        kept = fill(client)
        check_readable(client, kept)
        check_files(data, kept)
    with client_of(environ) as (suite, client):
        check_readable(client, kept)
        check_files(data, kept)
        assert suite.metrics()["vidence_encryption_opened_total", ""] >= len(kept.images)
    check_files(data, kept)  # what a stop writes too
    check_refusals(tmp_path, environ)
    counted = vidence(environ, "encryption", "status", "--json")
    assert counted.returncode == 0, counted.stderr
    places = {line["place"]: line["current"] for line in map(json.loads, counted.stdout.splitlines())}
    assert places == dict.fromkeys(("batch-images", "capture-images", "face templates"), True)


def fill(client: sync.Client) -> Kept:
    """One image or template through each door."""
    kept = Kept()
    client.libraries.create("people", without_vectors=True)
    client.libraries.faces.enroll("people", "anna", template())
    batch = client.batches.create()
    client.batches.add(batch.batch_id, 0, BatchFile(content=PAGE))
    kept.batch_id = batch.batch_id
    created = client.capture.create_session(json_format.ParseDict(PLAN, session_pb2.SessionPlan()))
    key = SessionKey(created.session.id, created.session_token)
    session = created.session
    for number, content in enumerate(frames_of(sample_on_desk(), 40), 1):
        if session.captured:
            break
        try:
            client.capture.push_frame(key, capture_pb.Frame(frame_number=number, encoded=content))
        except VidenceError as error:
            assert error.reason == "SESSION_ENDED"  # noqa: PT017 - the picture before may have been enough
        session = client.capture.get_session(key.session_id)
    assert session.captured, session
    for found in (session.captured[0].image, session.captured[0].crop):
        kept.images[found.id] = client.capture.get_image(found.id)
    return kept


def check_readable(client: sync.Client, kept: Kept) -> None:
    """All of it comes back as it was."""
    assert client.batches.image(kept.batch_id, 0) == PAGE
    for image_id, content in kept.images.items():
        assert content.startswith(JPEG)
        assert client.capture.get_image(image_id) == content
    (hit,) = client.libraries.faces.search("people", template(), k=1).hits
    assert hit.subject_id == "anna"
    assert hit.score == pytest.approx(1.0)


def check_files(data: Path, kept: Kept) -> None:
    """No file has anything of it, as a picture or as numbers."""
    assert len(list((data / "capture-images").glob("blb_*"))) == len(kept.images)
    assert len(list((data / "batch-images").glob("blb_*"))) == 1
    scaled = (TEMPLATE.astype(np.float64) / np.linalg.norm(TEMPLATE.astype(np.float64))).astype("<f4")
    secrets = [TEMPLATE.tobytes(), scaled.tobytes(), PAGE, *kept.images.values()]
    pieces = [secret[start : start + 24] for secret in secrets for start in range(0, len(secret) - 24, 8192)]
    assert files_with(data, JPEG, *pieces) == []


def check_refusals(tmp_path: Path, environ: dict[str, str]) -> None:
    """No start without the keys of the data, and each says why."""
    other, own = tmp_path / "other.json", Path(environ["VIDENCE_ENCRYPTION__KEY_FILE"])
    assert vidence({}, "encryption", "new-key", "--file", str(other)).returncode == 0
    key_id = json.loads(own.read_text())["active"]
    code, entry, told = refusal(environ | {"VIDENCE_ENCRYPTION__KEY_FILE": str(other)})
    assert (code, entry["reason"], entry["key_id"], entry["exit_code"]) == (1, "KEY_UNKNOWN", key_id, 1)
    assert key_id in told
    for wrong, named in (
        ({"VIDENCE_ENCRYPTION__KEY_FILE": str(tmp_path / "missing.json")}, "missing.json"),
        ({"VIDENCE_ENCRYPTION__MODE": "off"}, "encryption.mode is off"),
    ):
        code, entry, told = refusal(environ | wrong)
        assert (code, entry["reason"], entry["exit_code"]) == (2, "CONFIGURATION_INVALID", 2)
        assert named in told
    own.chmod(0o644)
    code, entry, told = refusal(environ)
    assert (code, entry["reason"]) == (2, "CONFIGURATION_INVALID")
    assert "others may read" in told
    own.chmod(0o600)


def template() -> face_pb2.FaceTemplate:
    return face_pb2.FaceTemplate(model_name="any", model_version="1", data=TEMPLATE.tobytes())
