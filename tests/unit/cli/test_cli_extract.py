"""`vidence extract` and `vidence types` against a real server that plays scripts."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from google.protobuf import json_format
from PIL import Image

from fakes import extraction_servicer as fake
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence_cli.exit_codes import ExitCode
from vidence_cli.main import main
from vidence_client.conformance import check_result_stream
from vidence_server.core.errors import DomainError, Reason

PROGRAM = [sys.executable, "-m", "vidence_cli"]


@pytest.fixture
def served() -> Iterator[fake.Served]:
    scripts: dict[bytes, Sequence[fake.Step]] = {
        b"bad": fake.CORRUPT_SCRIPT,
        b"hang": [*fake.PASSPORT[:2], fake.Hang()],
    }
    with fake.serving_in_thread(fake.ScriptedExtraction(scripts=scripts)) as served:
        yield served


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "passport.png"
    Image.new("RGB", (120, 80), "white").save(path)
    return path


def invoke(served: fake.Served, *arguments: str | Path, stdin: bytes | None = None) -> Result:
    words = [*map(str, arguments), "--server", served.address]
    return CliRunner().invoke(main, words, input=stdin)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.requirement("R-EX1")
def test_piped_output_is_every_message_as_one_line(served: fake.Served, picture: Path) -> None:
    result = invoke(served, "extract", picture, "--type", "passport", "--page", "2")
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")
    messages = [
        json_format.ParseDict(line, service.ExtractDocumentResponse()) for line in lines_of(result.stdout)
    ]
    assert messages == fake.PASSPORT
    assert check_result_stream(messages) == []
    assert '"extraction_start": {"extraction_id": ' in result.stdout
    request = served.servicer.requests[0]
    assert (request.document_type, request.options.pdf_page) == ("passport", 2)
    assert request.content == picture.read_bytes()


def test_the_address_comes_from_the_environment_too(served: fake.Served, picture: Path) -> None:
    result = CliRunner(env={"VIDENCE_SERVER": served.address}).invoke(main, ["extract", str(picture)])
    assert result.exit_code == ExitCode.FINE
    assert len(lines_of(result.stdout)) == len(fake.PASSPORT)


def test_standard_input_is_read(served: fake.Served) -> None:
    result = invoke(served, "extract", "-", stdin=b"\x89 not text \xff")
    assert result.exit_code == ExitCode.FINE
    assert served.servicer.requests[0].content == b"\x89 not text \xff"


@pytest.mark.requirement("R-EX7")
def test_one_bad_file_does_not_keep_the_others_from_being_read(
    served: fake.Served, picture: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"bad")
    absent = tmp_path / "absent.jpg"
    result = invoke(served, "extract", bad, absent, picture)
    assert result.exit_code == ExitCode.FAILED
    lines = lines_of(result.stdout)
    kinds = [(Path(line["file"]).name, "extraction_failed" in line) for line in lines]
    assert kinds[:2] == [("bad.jpg", False), ("bad.jpg", True)]
    assert [name for name, _ in kinds[2:]] == ["passport.png"] * len(fake.PASSPORT)
    reason = lines[1]["extraction_failed"]["status"]["details"][0]
    assert (reason["@type"], reason["reason"]) == (
        "type.googleapis.com/google.rpc.ErrorInfo",
        "IMAGE_CORRUPT",
    )
    assert result.stderr.splitlines() == [
        f"{bad}: IMAGE_CORRUPT: The image is truncated.",
        f"{absent}: No such file or directory",
    ]


def test_an_unreachable_server_ends_with_3(picture: Path) -> None:
    with fake.serving_in_thread(fake.ScriptedExtraction()) as gone:
        pass
    for command in (["extract", str(picture), str(picture)], ["types"]):
        result = invoke(gone, *command)
        assert result.exit_code == ExitCode.UNREACHABLE
        assert "cannot be reached" in result.stderr
        assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["a.png", "b.png", "--draw", "out.png"], ["a.png", "--embedded"], ["a.png", "--page", "0"]],
    ids=["one drawing of two files", "two servers", "no such page"],
)
def test_contradictions_are_wrong_usage(served: fake.Served, arguments: list[str]) -> None:
    assert invoke(served, "extract", *arguments).exit_code == ExitCode.USAGE


def test_a_file_that_takes_too_long_fails(served: fake.Served, tmp_path: Path) -> None:
    slow = tmp_path / "slow.jpg"
    slow.write_bytes(b"hang")
    result = invoke(served, "extract", slow, "--timeout", "0.2")
    assert result.exit_code == ExitCode.FAILED
    assert "DEADLINE_EXCEEDED" in result.stderr


def test_drawing_keeps_the_size_and_marks_the_boxes(
    served: fake.Served, picture: Path, tmp_path: Path
) -> None:
    target = tmp_path / "drawn.png"
    assert invoke(served, "extract", picture, "--draw", target).exit_code == ExitCode.FINE
    with Image.open(target) as drawn:
        assert drawn.size == (120, 80)
        assert drawn.convert("RGB").getpixel((30, 20)) != (255, 255, 255)


def test_what_cannot_be_drawn_on_fails_after_it_was_read(served: fake.Served, tmp_path: Path) -> None:
    pdf = tmp_path / "page.pdf"
    pdf.write_bytes(b"%PDF-1.7")
    result = invoke(served, "extract", pdf, "--draw", tmp_path / "drawn.png")
    assert result.exit_code == ExitCode.FAILED
    assert len(lines_of(result.stdout)) == len(fake.PASSPORT)
    assert "only pictures can be drawn on" in result.stderr


def test_the_types_are_one_json_line_where_a_program_reads(served: fake.Served) -> None:
    (line,) = lines_of(invoke(served, "types").stdout)
    assert [kind["key"] for kind in line["document_types"]] == ["passport", "text"]
    assert line["document_types"][0]["planned_fields"][0]["required"] is True


def test_an_embedded_server_lives_as_long_as_the_command(
    served: fake.Served, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    @asynccontextmanager
    async def embedded_suite(environ: Mapping[str, str]) -> AsyncIterator[str]:
        events.append("started")
        yield served.address
        events.append("stopped")

    suite = ModuleType("vidence_server.suite.opening")
    suite.__dict__["embedded_suite"] = embedded_suite
    monkeypatch.setitem(sys.modules, "vidence_server.suite.opening", suite)
    # an address in the environment is a default, no contradiction
    runner = CliRunner(env={"VIDENCE_SERVER": "127.0.0.1:1"})
    result = runner.invoke(main, ["extract", str(picture), "--embedded"])
    assert result.exit_code == ExitCode.FINE
    assert events == ["started", "stopped"]


def test_an_embedded_server_that_cannot_start_says_why(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embedded_suite(environ: Mapping[str, str]) -> AbstractAsyncContextManager[str]:
        raise DomainError(Reason.MODEL_MISSING, "No weights here; `vidence models pull` fetches them.")

    suite = ModuleType("vidence_server.suite.opening")
    suite.__dict__["embedded_suite"] = embedded_suite
    monkeypatch.setitem(sys.modules, "vidence_server.suite.opening", suite)
    result = CliRunner().invoke(main, ["extract", str(picture), "--embedded"])
    assert result.exit_code == ExitCode.FAILED
    assert "MODEL_MISSING: No weights here" in result.stderr


def test_embedded_without_the_server_names_the_extra(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vidence_server.suite.opening", None)
    result = CliRunner().invoke(main, ["extract", str(picture), "--embedded"])
    assert result.exit_code == ExitCode.USAGE
    assert "--embedded" in result.stderr


@pytest.mark.requirement("R-EX1")
def test_a_real_process_writes_json_lines_into_a_pipe(served: fake.Served, picture: Path) -> None:
    ended = subprocess.run(
        [*PROGRAM, "extract", str(picture), "--server", served.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(lines_of(ended.stdout)) == len(fake.PASSPORT)
    assert ended.stderr == ""


def test_a_reader_that_leaves_is_no_crash(served: fake.Served, picture: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*PROGRAM, "extract", str(picture), "--server", served.address],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (ExitCode.FAILED, "")


@pytest.mark.requirement("R-EX1")
def test_ctrl_c_cancels_the_reading_and_ends_with_130(served: fake.Served) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "extract", "-", "--server", served.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(b"hang")
        process.stdin.close()
        served.wait_for(served.servicer.hanging)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    served.wait_for(served.servicer.cancelled)


def test_a_terminal_shows_a_table_instead_of_json(served: fake.Served, picture: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, "extract", str(picture), "--server", served.address],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        )
        os.close(theirs)
        with process:
            shown = "".join(_until_closed(ours))
            assert process.wait(timeout=60) == ExitCode.FINE
    finally:
        os.close(ours)
    assert "\x1b[" in shown
    assert "document.number" in shown
    assert "2 fields in " in shown
    assert "extraction_start" not in shown


def _until_closed(terminal: int) -> Iterator[str]:
    try:
        while part := os.read(terminal, 4096):
            yield part.decode(errors="replace")
    except OSError:
        return  # how Linux tells that the other side of a terminal is closed
