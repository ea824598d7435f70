"""The tutorial does what it says, from its first block to its last."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from document_blocks import ROOT, Block, blocks_of, run_command, run_program
from e2e.bridge_door import Door
from e2e_suite import LiveSuite, start_suite, stop_suite

TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def fresh_suite() -> Iterator[LiveSuite]:
    """A suite to which nothing has happened yet."""
    live = start_suite()
    try:
        yield live
    finally:
        stop_suite(live)


@pytest.fixture
def fresh_door(fresh_suite: LiveSuite, tmp_path: Path) -> Iterator[Door]:
    opened = Door(tmp_path / "door", fresh_suite.address)
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


def fits(expected: str, printed: str) -> bool:
    """Whether some line of what was printed is as expected; `…` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return any(re.fullmatch(pattern, line.rstrip()) for line in printed.splitlines())


def assert_done(block: Block, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{block.text}\n{done.stderr}"
    missing = [line for line in block.prints if not fits(line, done.stdout)]
    assert missing == [], f"{block.text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.timeout(400)  # every program and command is a process of its own
@pytest.mark.requirement("R-DO2")
def test_the_tutorial_from_its_first_block_to_its_last(
    fresh_suite: LiveSuite, fresh_door: Door, tmp_path: Path
) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    ran = 0
    for block in blocks_of(TUTORIAL):
        if block.language == "python":
            assert_done(block, run_program(block.text, fresh_suite, folder))
            ran += 1
            continue
        printed = [
            run_command(line, fresh_suite, lambda: fresh_door.url, tmp_path, folder)
            for line in block.text.splitlines()
        ]
        for done in printed[:-1]:
            assert done.returncode == 0, f"{block.text}\n{done.stderr}"
        assert_done(block, printed[-1])
        ran += 1
    assert ran > 8


@pytest.mark.parametrize(
    ("expected", "printed", "fitting"),
    [
        ("best: umbrella", "best: nothing\nbest: umbrella\n", True),
        ("done, … fields", "done, 19 fields\n", True),
        ("best: umbrella", "best: umbrellas\n", False),
        ("done, … fields", "", False),
    ],
)
def test_a_line_that_is_not_printed_is_noticed(expected: str, printed: str, fitting: bool) -> None:
    assert fits(expected, printed) is fitting
