"""A pytest plugin: with `--coverage-floor`, a package below its coverage floor fails the run.

Statements and branches count together: 90 % for domains and streams, 80 % for every other package.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "services", ROOT / "clients" / "python")
FLOOR = 80.0
STRICT_FLOOR = 90.0
STRICT_PARTS = {"domain", "types", "streams"}
MESSAGES: pytest.StashKey[list[str]] = pytest.StashKey()


@dataclass
class Tally:
    """Lines and branches of one package, and how many of them ran."""

    total: int = 0
    covered: int = 0

    @property
    def percent(self) -> float:
        return 100.0 * self.covered / self.total if self.total else 100.0


def package_of(path: Path) -> str:
    """The package whose floor a file counts for, e.g. `vidence_server.extraction.domain`."""
    source = next(source for source in SOURCES if path.is_relative_to(source))
    folders = path.relative_to(source).parts[:-1]
    depth = 3 if len(folders) > 2 and folders[2] in STRICT_PARTS else 2
    return ".".join(folders[:depth])


def floor_of(package: str) -> float:
    return STRICT_FLOOR if STRICT_PARTS & set(package.split(".")) else FLOOR


def tallies(data_file: Path) -> dict[str, Tally]:
    """Coverage per package, read from the combined data of a run."""
    measured = coverage.Coverage(data_file=str(data_file), config_file=str(ROOT / "pyproject.toml"))
    measured.load()
    packages: dict[str, Tally] = defaultdict(Tally)
    for name in measured.get_data().measured_files():
        path = Path(name)
        if not any(path.is_relative_to(source) for source in SOURCES):
            continue
        numbers = measured._analyze(name).numbers
        tally = packages[package_of(path)]
        tally.total += numbers.n_statements + numbers.n_branches
        tally.covered += numbers.n_executed + numbers.n_executed_branches
    return packages


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--coverage-floor", action="store_true", help="fail when a package is below its floor")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Runs around pytest-cov's own wrapper, so its data is combined when this looks at it."""
    result = yield
    config = session.config
    if config.getoption("--coverage-floor") and not hasattr(config, "workerinput"):
        messages = config.stash.setdefault(MESSAGES, [])
        for package, tally in sorted(tallies(ROOT / ".coverage").items()):
            low = tally.percent < floor_of(package)
            session.testsfailed += low
            messages.append(
                f"{package:40} {tally.percent:5.1f} %  floor {floor_of(package):.0f} %" + "  TOO LOW" * low
            )
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    messages = config.stash.get(MESSAGES, [])
    if messages:
        terminalreporter.section("coverage by package")
        for message in messages:
            terminalreporter.write_line(message)
