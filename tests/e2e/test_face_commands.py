"""`vidence face …` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console, RenderableType

from fakes import face_pictures as pictures
from fakes.face_models import face_server
from vidence.face.v1 import face_pb2, face_service_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_cli.face import drawn
from vidence_cli.main import CommandGroup
from vidence_client import sync

pytestmark = pytest.mark.requirement("R-FA1")

PROGRAM = CommandGroup(
    name="vidence",
    find_commands=lambda: [EntryPoint("face", "vidence_cli.face.commands:face", "vidence.commands")],
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with face_server() as where:
        yield where


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("faces")
    astronaut = pictures.decoded(pictures.picture_bytes(pictures.ASTRONAUT))
    contents = {
        "astronaut.png": pictures.picture_bytes(pictures.ASTRONAUT),
        "admiral.jpg": pictures.picture_bytes(pictures.ADMIRAL),
        "mirrored.png": pictures.encoded(pictures.mirrored(astronaut)),
        "nobody.png": pictures.encoded(pictures.without_faces()),
        "text.txt": b"no picture",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name.partition(".")[0]: folder / name for name in contents}


def run(address: str, *arguments: object, stdin: bytes | None = None) -> Result:
    command = ["face", *map(str, arguments), "--server", address]
    return CliRunner().invoke(PROGRAM, command, input=stdin)


def lines_of(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_detect_answers_each_file_on_a_line_and_goes_on_after_a_bad_one(
    address: str, files: dict[str, Path]
) -> None:
    result = run(address, "detect", files["astronaut"], files["text"], files["admiral"], files["nobody"])
    assert result.exit_code == ExitCode.FAILED
    rows = lines_of(result)
    assert [Path(row["file"]).stem for row in rows] == ["astronaut", "admiral", "nobody"]
    assert [len(row.get("faces", [])) for row in rows] == [1, 1, 0]
    assert "IMAGE_UNSUPPORTED" in result.stderr
    absent = run(address, "detect", files["text"].with_name("absent.png"))
    assert absent.exit_code == ExitCode.FAILED
    assert "No such file" in absent.stderr


def test_standard_input_is_a_picture_too(address: str, files: dict[str, Path]) -> None:
    result = run(address, "detect", "-", "--contour", "--pose", stdin=files["admiral"].read_bytes())
    (row,) = lines_of(result)
    assert (result.exit_code, len(row["faces"][0]["contour"])) == (ExitCode.FINE, 68)


@pytest.mark.requirement("R-CA3")
def test_quality_names_its_components(address: str, files: dict[str, Path]) -> None:
    (row,) = lines_of(run(address, "quality", files["admiral"]))
    named = {component["measure"] for component in row["quality"]["components"]}
    assert "QUALITY_MEASURE_SHARPNESS" in named
    assert row["quality"]["unified_score"] > 80


def test_compare_tells_verdict_and_rates(address: str, files: dict[str, Path]) -> None:
    (same,) = lines_of(run(address, "compare", files["astronaut"], files["mirrored"]))
    assert same["verdict"] == "MATCH_VERDICT_MATCH"
    assert same["rates"]["false_accept"]["trials"] == 4500
    arguments = ("compare", files["astronaut"], files["admiral"], "--largest", "--threshold", "0.5")
    (other,) = lines_of(run(address, *arguments))
    assert (other["verdict"], other["threshold"]) == ("MATCH_VERDICT_NO_MATCH", 0.5)
    assert run(address, "compare", files["astronaut"], files["nobody"]).exit_code == ExitCode.FAILED
    gone = run(address, "compare", files["astronaut"], files["nobody"].with_name("absent.png"))
    assert (gone.exit_code, "absent.png" in gone.stderr) == (ExitCode.FAILED, True)


@pytest.mark.requirement("R-CA7")
def test_liveness_of_frames_is_labelled(address: str, files: dict[str, Path]) -> None:
    (row,) = lines_of(run(address, "liveness", files["astronaut"], files["nobody"], "--min-frames", 1))
    assert row["label"] == "not certified PAD"
    assert [frame.get("reason", "") for frame in row["frames"]] == ["", "NO_FACE"]


def test_thresholds_are_listed(address: str) -> None:
    (row,) = lines_of(run(address, "thresholds"))
    assert row["rates"][10]["threshold"] == pytest.approx(0.1)


def drawn_text(table: RenderableType) -> str:
    console = Console(width=200, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_people_get_tables(address: str, files: dict[str, Path]) -> None:
    with sync.Client(address) as client:
        found = drawn_text(drawn.faces_table(client.faces.detect(files["admiral"])))
        assert "confidence" in found
        assert "no face" in drawn_text(drawn.faces_table(client.faces.detect(files["nobody"])))
        told = drawn_text(drawn.quality_table(client.faces.assess_quality(files["admiral"])))
        assert "inter eye distance" in told
        assert "unified" in told
        match = drawn_text(
            drawn.comparison_table(client.faces.compare(files["astronaut"], files["mirrored"]))
        )
        assert "0 of 4500" in match
        live = drawn_text(drawn.liveness_table(client.faces.check_liveness([files["astronaut"]])))
        assert "undecided" in live
        assert "not certified PAD" in live
        listed = drawn_text(drawn.thresholds_table(client.faces.list_thresholds()))
        assert "0.40 *" in listed
        assert "ten people" in listed


def test_rates_that_were_never_measured_are_not_shown_as_good() -> None:
    answer = face_service_pb2.CompareFacesResponse(
        similarity=0.1,
        verdict=face_service_pb2.MATCH_VERDICT_NO_MATCH,
        reference=face_service_pb2.ComparedFace(quality=face_pb2.FaceQuality(unified_score=50)),
    )
    text = drawn_text(drawn.comparison_table(answer))
    assert "not measured" in text
    assert "no match" in text
