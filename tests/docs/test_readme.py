"""What the documents tell people to type works: every `bash` and `python` block of the README is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from document_blocks import ROOT, blocks_of, run_command, run_program
from e2e.bridge_door import Door
from e2e_suite import LiveSuite

LINK = re.compile(r"\]\(([^)#:]+)\)")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return [block.text for block in blocks_of(ROOT / "README.md") if block.language == language]


def commands() -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.strip()]


@pytest.mark.requirement("R-DO2", "R-EX1", "R-OP3")
@pytest.mark.parametrize("command", commands())
def test_each_command_of_the_readme_works(
    command: str, suite: LiveSuite, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def http() -> str:
        door: Door = request.getfixturevalue("door")
        return door.url

    done = run_command(command, suite, http, tmp_path)
    # `head` closes the pipe early, on purpose.
    assert done.returncode == 0 or "| head" in command, done.stderr
    assert done.stdout.strip(), done.stderr


@pytest.mark.requirement("R-DO2")
@pytest.mark.parametrize("program", blocks("python"))
def test_each_program_of_the_readme_works(program: str, suite: LiveSuite) -> None:
    done = run_program(program, suite)
    assert done.returncode == 0, done.stderr
    expected = "tills/3" if "Publisher" in program else "document.number X4093218K"
    assert expected in done.stdout


@pytest.mark.requirement("R-DO2")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document}: {target}"
