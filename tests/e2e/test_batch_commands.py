"""`vidence batch` against a service in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventually import PATIENCE_S
from fakes.batch import JPEG, document
from fakes.batch_crew import Crew
from vidence.batch.v1 import batch_pb2
from vidence.extraction.v1 import document_pb2
from vidence_cli.batch.export import EXPORTS
from vidence_cli.batch.files import find_files, key_of
from vidence_cli.exit_codes import ExitCode
from vidence_cli.main import CommandGroup

ENTRY = EntryPoint("batch", "vidence_cli.batch.commands:batch", "vidence.commands")
program = CommandGroup(name="vidence", find_commands=lambda: [ENTRY])
TESTS = Path(__file__).resolve().parents[1]
CODE = (
    "from importlib.metadata import EntryPoint; from vidence_cli.main import CommandGroup; "
    "CommandGroup(name='vidence', find_commands=lambda: [EntryPoint("
    "'batch', 'vidence_cli.batch.commands:batch', 'vidence.commands')])()"
)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    made = Crew(tmp_path / "data", 0, seconds=0.05)
    made.folder.mkdir()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scans"
    made.mkdir()
    for number in range(4):
        (made / f"page-{number}.jpg").write_bytes(JPEG + f"page {number}".encode())
    (made / "notes.txt").write_text("not an image")
    return made


def run(crew: Crew, *arguments: object) -> Result:
    words = ["batch", *map(str, arguments), "--server", crew.address]
    return CliRunner().invoke(program, words)


def lines_of(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.requirement("R-BA1")
def test_a_folder_is_read_and_told_line_by_line(crew: Crew, folder: Path) -> None:
    result = run(crew, "run", folder)
    assert result.exit_code == ExitCode.FINE, result.output
    events = lines_of(result)
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    names = sorted(event["result"]["file_name"] for event in events if "result" in event)
    assert names == [f"page-{number}.jpg" for number in range(4)]
    assert events[-1]["complete"]["state"] == "BATCH_STATE_SUCCEEDED"


@pytest.mark.requirement("R-BA2")
def test_a_batch_goes_through_all_commands(crew: Crew, folder: Path) -> None:
    (folder / "bad.png").write_bytes(JPEG + b"bad")
    submitted = run(crew, "submit", folder)
    batch_id = lines_of(submitted)[0]["batch_id"]
    watched = run(crew, "watch", batch_id)
    assert watched.exit_code == ExitCode.FAILED
    assert lines_of(watched)[-1]["complete"]["state"] == "BATCH_STATE_PARTIAL"
    assert lines_of(run(crew, "get", batch_id))[0]["counts"]["succeeded"] == 4
    assert [batch["batch_id"] for batch in lines_of(run(crew, "list"))] == [batch_id]
    assert lines_of(run(crew, "retry", batch_id, "--index", 0))[0]["run"] == 2
    run(crew, "watch", batch_id)
    assert lines_of(run(crew, "cancel", batch_id))[0]["state"] == "BATCH_STATE_PARTIAL"
    exported = lines_of(run(crew, "export", batch_id))
    assert [item["index"] for item in exported] == list(range(5))
    rows = list(csv.DictReader(io.StringIO(run(crew, "export", batch_id, "--format", "csv").stdout)))
    assert [(row["file_name"], row["reason"]) for row in rows[:1]] == [("bad.png", "IMAGE_CORRUPT")]
    assert [row["value"] for row in rows[1:]] == [f"page {number}" for number in range(4)]
    assert run(crew, "delete", batch_id).exit_code == ExitCode.FINE
    gone = run(crew, "get", batch_id)
    assert gone.exit_code == ExitCode.FAILED
    assert "BATCH_NOT_FOUND" in gone.stderr


@pytest.mark.requirement("R-BA2")
def test_the_same_files_are_one_batch_until_they_are_to_be_read_anew(crew: Crew, folder: Path) -> None:
    first, second = run(crew, "run", folder), run(crew, "run", folder)
    assert lines_of(first) == lines_of(second)
    assert "--new" in second.stderr
    anew = run(crew, "run", folder, "--new")
    assert lines_of(anew)[0]["batch_id"] != lines_of(first)[0]["batch_id"]
    assert len(crew.begun()) == 8


@pytest.mark.requirement("R-BA2")
def test_after_ctrl_c_the_same_command_goes_on_and_reads_nothing_twice(crew: Crew, folder: Path) -> None:
    for number in range(4, 30):
        (folder / f"page-{number}.jpg").write_bytes(JPEG + f"page {number}".encode())
    command = [sys.executable, "-c", CODE, "batch", "run", str(folder), "--server", crew.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # To the end where there is none: then the exit code below says why.
        next((line for line in process.stdout if '"result"' in line), None)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "vidence batch watch bat_" in told
    result = run(crew, "run", folder)
    assert result.exit_code == ExitCode.FINE
    assert sum("result" in event for event in lines_of(result)) == 30
    assert len(crew.begun()) == 30


@pytest.mark.requirement("R-BA1")
def test_a_person_sees_a_line_per_image_and_the_end(crew: Crew, folder: Path) -> None:
    (folder / "bad.png").write_bytes(JPEG + b"bad")
    command = [sys.executable, "-c", CODE, "batch", "run", str(folder), "--server", crew.address]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # the other side is closed
            pass
        process.wait(PATIENCE_S)
    os.close(ours)
    text = shown.decode()
    assert "page-1.jpg" in text
    assert "IMAGE_CORRUPT" in text
    assert "partial: 4 of 5 read, 1 failed" in text


@pytest.mark.requirement("R-BA1")
def test_without_an_image_or_a_server_the_exit_code_says_so(tmp_path: Path, folder: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = CliRunner().invoke(program, ["batch", "run", str(empty)])
    assert nothing.exit_code == ExitCode.USAGE
    alone = CliRunner().invoke(program, ["batch", "run", str(folder), "--server", "127.0.0.1:1"])
    assert alone.exit_code == ExitCode.UNREACHABLE


@pytest.mark.requirement("R-BA1")
def test_folders_give_their_images_by_name_and_files_give_themselves(folder: Path) -> None:
    below = folder / "below"
    below.mkdir()
    (below / "deep.PDF").write_bytes(b"%PDF-")
    named = folder / "notes.txt"
    assert find_files([named, folder, folder]) == [named, *sorted(folder.glob("*.jpg"))]
    assert below / "deep.PDF" in find_files([folder], recursive=True)
    before = key_of([named], "")
    assert key_of([named], "passport") != before
    named.write_text("something else")
    assert key_of([named], "") != before


@pytest.mark.requirement("R-BA1")
def test_exports_name_every_item_and_a_deck_by_its_file() -> None:
    card = [("card.count", "4"), ("card.name", "Llanowar Elves")]
    deck = document_pb2.Document(
        document_type="decklist",
        fields=[document_pb2.ExtractedField(key=key, value=value) for key, value in card],
    )
    items = [
        batch_pb2.BatchItem(state=batch_pb2.ITEM_STATE_SUCCEEDED, file_name="a/elves.png", document=deck),
        batch_pb2.BatchItem(index=1, state=batch_pb2.ITEM_STATE_SUCCEEDED, document=document("prose")),
        batch_pb2.BatchItem(index=2, state=batch_pb2.ITEM_STATE_CANCELLED),
    ]
    assert "".join(EXPORTS["arena"](items)) == "About\nName elves\n\nDeck\n4 Llanowar Elves\n\n"
    assert [json.loads(line)["index"] for line in EXPORTS["jsonl"](items)] == [0, 1, 2]
    rows = list(csv.DictReader(io.StringIO("".join(EXPORTS["csv"](items)))))
    assert [row["index"] for row in rows] == ["0", "0", "1", "2"]
