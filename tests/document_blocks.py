"""Code blocks of the documents, and how they are run against a suite of the test's own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from e2e_suite import LiveSuite

ROOT = Path(__file__).resolve().parents[1]
BRIDGE = "http://localhost:8080"
SERVER = "127.0.0.1:50051"
_BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Something to run, and what it is said to print; `…` in a line of that is any text."""

    language: str
    text: str
    prints: tuple[str, ...] = ()


def blocks_of(document: Path) -> Iterator[Block]:
    """The blocks of a document that are run, in order; a `text` block tells what the one before prints."""
    waiting: Block | None = None
    for language, text in _BLOCK.findall(document.read_text()):
        if language == "text":
            if waiting is not None:
                waiting = replace(waiting, prints=tuple(text.splitlines()))
            continue
        if waiting is not None:
            yield waiting
        waiting = Block(language, text)
    if waiting is not None:
        yield waiting


def run_program(program: str, suite: LiveSuite, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs a `python` block."""
    here = program.replace(SERVER, suite.address)
    return subprocess.run(
        [sys.executable, "-c", here], cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )


def run_command(
    command: str, suite: LiveSuite, http: Callable[[], str], scratch: Path, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Runs a line of a `bash` block.

    Args:
        command: The line.
        suite: What the addresses in it mean.
        http: Gives the address of the bridge; only asked where the line names it.
        scratch: What `/tmp/` means.
        folder: Where it runs.
    """
    here = command.replace(SERVER, suite.address).replace("/tmp/", f"{scratch}/")
    if BRIDGE in command:
        here = here.replace(BRIDGE, http())
    here = here.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    if "bin/vidence" in here and "--embedded" not in here:
        here = f"export VIDENCE_SERVER={suite.address}; {here}"
    return subprocess.run(
        ["bash", "-c", f"set -eo pipefail; {here}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
