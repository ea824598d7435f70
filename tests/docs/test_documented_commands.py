"""Every command that a page of the documentation names is there, with the options that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vidence_cli.main import CommandGroup, installed_commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
CALL = re.compile(r"(?:^|`|\$ |&& )((?:[A-Z_]+=\S+ )*vidence [a-z][^`#|\n]*)", re.MULTILINE)


def calls() -> Iterator[tuple[str, list[str]]]:
    """Pages, and the words of each command on them."""
    for page in PAGES:
        for text in CALL.findall(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), text[text.index("vidence ") :].split()[1:]


def wrong(words: list[str]) -> str:
    """What of a command is not there; empty: all is."""
    command: click.Command | None = CommandGroup(find_commands=installed_commands)
    rest = list(words)
    while isinstance(command, click.Group) and rest and re.fullmatch(r"[a-z-]+[.,;:)]*", rest[0]):
        name = rest.pop(0).rstrip(".,;:)")
        command = command.get_command(click.Context(command), name)
        if command is None:
            return name
    if command is None or isinstance(command, click.Group):
        return ""
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    named = {found[0] for found in (re.match(r"--[a-z-]+", word) for word in rest) if found}
    return " ".join(sorted(named - known))


@pytest.mark.requirement("R-DO1", "R-DO2")
def test_every_command_of_the_documentation_is_there() -> None:
    found = list(calls())
    assert len(found) > 60
    missing = {
        f"{page}: vidence {' '.join(words)}: {what}" for page, words in found if (what := wrong(words))
    }
    assert missing == set()


@pytest.mark.requirement("R-DO1")
def test_a_command_that_is_not_there_is_noticed() -> None:
    assert wrong(["events", "look"]) == "look"
    assert wrong(["events", "tail", "--nothing"]) == "--nothing"
    assert wrong(["events", "tail", "--server", "x"]) == ""
