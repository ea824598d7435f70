"""The examples for front-end teams do what their README says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "clients" / "web"


@pytest.mark.requirement("R-WE4")
def test_the_examples_run_on_the_client_package() -> None:
    ran = subprocess.run(
        ["npx", "--no-install", "vitest", "run", "examples", "--reporter=verbose"],
        check=False,
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for kind in ("plain", "React", "Vue"):
        assert kind.lower() in ran.stdout.lower(), ran.stdout


@pytest.mark.requirement("R-WE4")
def test_every_example_stands_in_their_readme() -> None:
    examples = WEB / "examples"
    readme = (examples / "README.md").read_text()
    files = {str(path.relative_to(examples)) for path in examples.glob("*/*") if path.is_file()}
    assert files
    assert {name for name in files if f"({name})" not in readme} == set()
