"""`vidence record`, `check` and `replay` on the streams of batches and jobs; `--library`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.batch import JPEG
from fakes.batch_crew import Crew
from vidence_cli.batch.commands import batch
from vidence_cli.exit_codes import ExitCode
from vidence_cli.recordings.check import check
from vidence_cli.recordings.record import record
from vidence_cli.recordings.replay import replay
from vidence_client import VidenceError, sync


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    made = Crew(tmp_path / "data", 0)
    made.folder.mkdir()
    made.start()
    yield made
    made.stop()


def captured(crew: Crew, file: Path, *options: str) -> Result:
    return CliRunner().invoke(record, [str(file), *options, "--server", crew.address])


@pytest.mark.requirement("R-ST1")
def test_the_stream_of_a_batch_is_recorded_to_its_end_checked_and_told_again(
    crew: Crew, tmp_path: Path
) -> None:
    file = tmp_path / "batch.jsonl"
    with sync.Client(crew.address) as client:
        made = client.batches.upload([JPEG + b"one", JPEG + b"bad two"])
        result = captured(crew, file, "--batch", made.batch_id)
        assert result.exit_code == ExitCode.FINE, result.output
        with client.batches.watch(made.batch_id) as events:
            logged = [event.sequence for event in events]
    checked = CliRunner().invoke(check, [str(file)])
    assert json.loads(checked.stdout)["violations"] == []
    assert checked.exit_code == ExitCode.FINE
    told = CliRunner().invoke(replay, [str(file), "--speed", "max"])
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [int(event["sequence"]) for line in lines for event in line.get("events", [])] == logged


@pytest.mark.requirement("R-ST1")
def test_the_stream_of_a_job_is_recorded_and_checked(crew: Crew, tmp_path: Path) -> None:
    file = tmp_path / "job.jsonl"
    with sync.Client(crew.address) as client:
        job = client.jobs.submit_reading(JPEG + b"one")
    assert captured(crew, file, "--job", job.job_id).exit_code == ExitCode.FINE
    assert CliRunner().invoke(check, [str(file)]).exit_code == ExitCode.FINE
    both = captured(crew, file, "--job", job.job_id, "--batch", "bat_1")
    assert both.exit_code == ExitCode.USAGE


@pytest.mark.requirement("R-LI1")
def test_a_folder_goes_into_a_library_and_the_end_says_so(crew: Crew, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(3):
        (scans / f"page-{number}.jpg").write_bytes(JPEG + f"page {number}".encode())
    words = ["run", str(scans), "--library", "mine", "--server", crew.address]
    result = CliRunner().invoke(batch, words)
    assert result.exit_code == ExitCode.FINE, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[-1]["complete"]["statistics"]["filed"] == 3
    assert len(list((crew.folder / "library").iterdir())) == 3
    unknown = CliRunner().invoke(batch, [*words[:3], "other", "--server", crew.address])
    assert unknown.exit_code == ExitCode.FAILED
    assert isinstance(unknown.exception, VidenceError)
    assert unknown.exception.reason == "LIBRARY_NOT_FOUND"
