"""`vidence extract --record` and `--verify`, against scripted readings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes import extraction_servicer as fake
from rendering.lines import line
from rendering.reading import read
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence_cli.exit_codes import ExitCode
from vidence_cli.main import main
from vidence_server.extraction.domain.provenance import Maker, Source, provenance_record

SAME, CHANGED = b"the same", b"read otherwise"


def record(content: bytes, text: str) -> str:
    source = Source(
        hashlib.sha256(content).hexdigest(), "image/png", 1, 1, 1, "text", "", "", "", date(2026, 1, 15)
    )
    return provenance_record(source, Maker("1.0", {}, {}), read("text", [line(text)]).document)


def script(content: bytes, text: str) -> list[fake.Step]:
    """A reading that ends with a record."""
    steps: list[fake.Step] = []
    for step in fake.PASSPORT:
        made = service.ExtractDocumentResponse()
        if isinstance(step, service.ExtractDocumentResponse):
            made.CopyFrom(step)
            if made.HasField("extraction_complete"):
                made.extraction_complete.provenance_record = record(content, text)
            steps.append(made)
    return steps


@pytest.fixture
def served() -> Iterator[fake.Served]:
    scripts: dict[bytes, Sequence[fake.Step]] = {
        SAME: script(SAME, "tea"),
        CHANGED: script(CHANGED, "coffee"),
    }
    with fake.serving_in_thread(fake.ScriptedExtraction(scripts=scripts)) as served:
        yield served


def invoke(served: fake.Served, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--server", served.address])


def image(folder: Path, content: bytes) -> Path:
    path = folder / "image.png"
    path.write_bytes(content)
    return path


@pytest.mark.requirement("R-EX8")
def test_a_record_is_written_and_holds(served: fake.Served, tmp_path: Path) -> None:
    picture, kept = image(tmp_path, SAME), tmp_path / "record.json"
    assert invoke(served, "extract", picture, "--record", kept).exit_code == ExitCode.FINE
    assert json.loads(kept.read_text())["format"] == "vidence.provenance/1"
    result = invoke(served, "extract", "--verify", kept, picture)
    assert json.loads(result.output) == {"holds": True, "chain": True, "image": True, "differences": []}
    assert result.exit_code == ExitCode.FINE


@pytest.mark.requirement("R-EX8")
def test_a_record_that_reading_again_does_not_give_fails(served: fake.Served, tmp_path: Path) -> None:
    kept = tmp_path / "record.json"
    kept.write_text(record(CHANGED, "tea"))
    result = invoke(served, "extract", "--verify", kept, image(tmp_path, CHANGED))
    told = json.loads(result.output)
    assert (told["chain"], told["image"], told["holds"]) == (True, True, False)
    assert told["differences"] == ["text.line[1]: box, raw_value, value differ"]
    assert result.exit_code == ExitCode.FAILED


@pytest.mark.requirement("R-EX8")
def test_a_changed_record_and_another_image_fail_without_reading(served: fake.Served, tmp_path: Path) -> None:
    picture, kept = image(tmp_path, SAME), tmp_path / "record.json"
    kept.write_text(record(SAME, "tea").replace("tea", "oil"))
    changed = invoke(served, "extract", "--verify", kept, picture)
    assert (json.loads(changed.output)["chain"], changed.exit_code) == (False, ExitCode.FAILED)
    kept.write_text(record(CHANGED, "tea"))
    other = invoke(served, "extract", "--verify", kept, picture)
    assert (json.loads(other.output)["image"], other.exit_code) == (False, ExitCode.FAILED)


@pytest.mark.parametrize("option", ["--record", "--verify"])
def test_records_are_of_one_file(served: fake.Served, tmp_path: Path, option: str) -> None:
    picture = image(tmp_path, SAME)
    assert invoke(served, "extract", picture, picture, option, picture).exit_code == ExitCode.USAGE


def test_a_file_that_is_no_record_is_refused(served: fake.Served, tmp_path: Path) -> None:
    picture = image(tmp_path, SAME)
    result = invoke(served, "extract", "--verify", picture, picture)
    assert result.exit_code != ExitCode.FINE
    assert "no JSON" in result.output
