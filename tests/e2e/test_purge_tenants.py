"""A purge of one tenant leaves the other's alone, outlives kill -9, and is made by a command too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from e2e_suite import LiveSuite, start_suite, stop_suite
from fakes.access import KeyFile
from fakes.erasure import counts, files_with, left
from fakes.monitor_pictures import keep_picture
from vidence.capture.v1 import session_pb2
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence.library.v1 import face_pb2, library_pb2
from vidence_cli.main import CommandGroup
from vidence_client import VidenceError, sync
from vidence_client.batch_files import BatchFile
from vidence_client.credentials import Credentials

pytestmark = pytest.mark.requirement("R-OP5")
WHO = "person-4711"
TENANTS = ("acme", "globex")
NOWHERE = "127.0.0.1:1"
PROGRAM = CommandGroup(
    name="vidence",
    find_commands=lambda: [
        EntryPoint("subjects", "vidence_cli.subjects.commands:subjects", "vidence.commands")
    ],
)
EVERYTHING = {
    "capture_session": 1,
    "monitor_image": 1,
    "batch": 1,
    "batch_item": 1,
    "face_template": 1,
    "document": 1,
    "review": 1,
    "review_note": 1,
}


def marks(tenant: str) -> tuple[bytes, ...]:
    """Words, picture and note of the person at this tenant, and a face that a monitor kept."""
    return tuple(f"mark{tenant}{what}".encode() for what in ("words", "picture", "note", "seen"))


@contextmanager
def client_of(suite: LiveSuite, key: str) -> Iterator[sync.Client]:
    with sync.Client(suite.address, credentials=Credentials(api_key=key)) as client:
        yield client


def fill(client: sync.Client, tenant: str, data: Path) -> str:
    """The same subject, with other contents at each tenant; gives the id of the monitor's picture."""
    words, picture, note, seen = (mark.decode() for mark in marks(tenant))
    client.libraries.create("people", without_vectors=True)
    face = face_pb2.FaceTemplate(model_name="any", model_version="1", values=[1.0, 0.5])
    client.libraries.faces.enroll("people", WHO, face)
    named = {"subject_id": library_pb2.MetadataValue(string_value=WHO)}
    client.libraries.create_document(
        "people", library_pb2.Document(document_id="d1", text=words, metadata=named)
    )
    plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE], subject_id=WHO)
    session_id = client.capture.create_session(plan).session.id
    batch = client.batches.create()
    file = BatchFile(content=b"\xff\xd8\xff" + picture.encode(), subject_id=WHO)
    client.batches.add(batch.batch_id, 0, file)
    client.reviews.note(f"sessions/{session_id}", "rita", note)
    return asyncio.run(keep_picture(data, WHO, tenant, mark=seen.encode()))


def command(suite: LiveSuite, key: str, *arguments: object) -> Result:
    asked = [str(argument) for argument in arguments]
    return CliRunner().invoke(
        PROGRAM, ["subjects", *asked, "--server", suite.address], env={"VIDENCE_API_KEY": key}
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "VIDENCE_DATA_DIR": str(tmp_path / "data"),
        "VIDENCE_ACCESS__MODE": "on",
        "VIDENCE_ACCESS__TENANTS": json.dumps(TENANTS),
        "VIDENCE_ACCESS__KEYS_FILE": str(tmp_path / "keys.json"),
        "VIDENCE_BATCH__WORKERS": "0",
        "VIDENCE_BUS__ADDRESS": NOWHERE,
        **{f"VIDENCE_ERASURE__{name}_ADDRESS": NOWHERE for name in ("CAPTURE", "BATCH", "LIBRARY")},
    }


@pytest.mark.timeout(300)  # starts the whole suite, beside other tests
def test_a_purge_keeps_to_its_tenant_and_outlives_kill_9(tmp_path: Path, environ: dict[str, str]) -> None:
    file = KeyFile(tmp_path / "keys.json")
    keys = {tenant: file.key(tenant, "*") for tenant in TENANTS}
    begun = begun_and_killed(environ, keys["acme"])
    suite = start_suite("all", environ=environ)
    try:
        seen = {}
        for tenant, key in keys.items():
            with client_of(suite, key) as client:
                seen[tenant] = fill(client, tenant, tmp_path / "data")
                assert client.capture.get_image(seen[tenant])
        assert all(files_with(tmp_path / "data", mark) for tenant in TENANTS for mark in marks(tenant))
        with client_of(suite, keys["acme"]) as client:
            purged = client.erasure.purge(WHO)
        assert (purged.purge_id, purged.attempt_count) == (begun.purge_id, 2)
        assert (purged.state, purged.request_id) == (erasure.PURGE_STATE_COMPLETE, "ticket-7")
        assert counts(purged) == dict.fromkeys(EVERYTHING, (1, 1, 0))
        check_commands(suite, keys, purged, tmp_path / "receipt.json")
        with client_of(suite, keys["acme"]) as client, pytest.raises(VidenceError, match="IMAGE_NOT_FOUND"):
            client.capture.get_image(seen["acme"])
        check_other_tenant(suite, keys["globex"], purged)
        with client_of(suite, keys["globex"]) as client:
            assert marks("globex")[-1] in client.capture.get_image(seen["globex"])
        check_log(suite, purged)
    finally:
        stop_suite(suite)
    assert files_with(tmp_path / "data", *marks("acme")) == []
    assert all(files_with(tmp_path / "data", mark) for mark in marks("globex"))


def begun_and_killed(environ: dict[str, str], key: str) -> erasure.Purge:
    """A purge that found nobody to ask, on a server that dies."""
    alone = start_suite("review", environ=environ)
    try:
        with client_of(alone, key) as client:
            begun = client.erasure.purge(WHO, request_id="ticket-7")
        assert begun.state == erasure.PURGE_STATE_PARTIAL
        assert left(begun) == dict.fromkeys(("capture", "batch", "library"), "NOT_READY")
    finally:
        alone.process.kill()
        stop_suite(alone)
    return begun


def check_other_tenant(suite: LiveSuite, key: str, purged: erasure.Purge) -> None:
    """It has everything still, and knows nothing of the purge."""
    with client_of(suite, key) as client:
        theirs = client.erasure.purge(WHO, dry_run=True)
        assert {kind: found for kind, (found, _, _) in counts(theirs).items()} == EVERYTHING
        with pytest.raises(VidenceError, match="PURGE_NOT_FOUND"):
            client.erasure.get(purged.purge_id)
        with pytest.raises(VidenceError, match="PURGE_NOT_FOUND"):
            client.erasure.get(subject_id=WHO)


def check_commands(suite: LiveSuite, keys: dict[str, str], purged: erasure.Purge, file: Path) -> None:
    """Purge, receipt and verify."""
    shown = command(suite, keys["acme"], "receipt", purged.purge_id, "--receipt", file)
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["state"] == "PURGE_STATE_COMPLETE"
    assert file.read_text(encoding="utf-8") == purged.receipt
    held = ["subjects", "verify", str(file), "--subject", WHO, "--tenant"]
    assert CliRunner().invoke(PROGRAM, [*held, "acme"]).exit_code == 0
    assert CliRunner().invoke(PROGRAM, [*held, "globex"]).exit_code == 1
    file.write_text(purged.receipt.replace('"erased":1', '"erased":2', 1), encoding="utf-8")
    changed = CliRunner().invoke(PROGRAM, ["subjects", "verify", str(file)])
    assert (changed.exit_code, json.loads(changed.output)["whole"]) == (1, False)
    again = command(suite, keys["acme"], "purge", WHO, "--dry-run")
    assert (again.exit_code, json.loads(again.output)["state"]) == (0, "PURGE_STATE_DRY_RUN")
    assert all("kinds" not in part for part in json.loads(again.output)["services"])


def check_log(suite: LiveSuite, purged: erasure.Purge) -> None:
    """An audit line names the purge, and no line names the person."""
    lines = [entry for entry in tuple(suite.logs) if entry.get("event") == "subject purged"]
    told = [(line["purge_id"], line["tenant"], line["state"]) for line in lines]
    assert told == [(purged.purge_id, "acme", "COMPLETE")]
    assert WHO not in json.dumps(suite.logs)
