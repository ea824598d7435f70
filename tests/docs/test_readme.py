"""What the documents tell people to type works: every `bash` and `python` block of the README is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.bridge_door import Door
from e2e_suite import LiveSuite

ROOT = Path(__file__).resolve().parents[2]
BRIDGE = "http://localhost:8080"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / "README.md").read_text()) if found == language]


def commands() -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.strip()]


@pytest.mark.requirement("R-DO2", "R-EX1", "R-OP3")
@pytest.mark.parametrize("command", commands())
def test_each_command_of_the_readme_works(
    command: str, suite: LiveSuite, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    here = command.replace("127.0.0.1:50051", suite.address).replace("/tmp/", f"{tmp_path}/")
    if BRIDGE in command:
        door: Door = request.getfixturevalue("door")
        here = here.replace(BRIDGE, door.url)
    here = here.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    if "bin/vidence" in here and "--embedded" not in here:
        here = f"export VIDENCE_SERVER={suite.address}; {here}"
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail; {here}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    # `head` closes the pipe early, on purpose.
    assert done.returncode == 0 or "| head" in command, done.stderr
    assert done.stdout.strip(), done.stderr


@pytest.mark.requirement("R-DO2")
@pytest.mark.parametrize("program", blocks("python"))
def test_each_program_of_the_readme_works(program: str, suite: LiveSuite) -> None:
    here = program.replace("127.0.0.1:50051", suite.address)
    done = subprocess.run(
        [sys.executable, "-c", here], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = "tills/3" if "Publisher" in program else "document.number X4093218K"
    assert expected in done.stdout


@pytest.mark.requirement("R-DO2")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document}: {target}"
