"""The command group: subcommands by entry points, exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner, Result

from vidence_cli.exit_codes import ExitCode
from vidence_cli.extras import missing_extra
from vidence_cli.main import CommandGroup, main
from vidence_client import ServerUnreachable, VidenceError

Offer = Callable[[str, Callable[[], object]], EntryPoint]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Makes an entry point whose command does `work`."""

    def make(name: str, work: Callable[[], object]) -> EntryPoint:
        module = ModuleType(f"offered_{name}")
        module.__dict__["command"] = click.command(name)(work)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, f"{module.__name__}:command", "vidence.commands")

    return make


def invoke(*offered: EntryPoint, arguments: list[str]) -> Result:
    return CliRunner().invoke(CommandGroup(name="vidence", find_commands=lambda: offered), arguments)


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "told"),
    [
        (lambda: None, ExitCode.FINE, ""),
        (lambda: "text is no exit code", ExitCode.FINE, ""),
        (lambda: click.get_current_context().exit(1), ExitCode.FAILED, ""),
        (raising(click.ClickException("broken")), ExitCode.FAILED, "broken"),
        (raising(VidenceError.stream_broken("a hole")), ExitCode.FAILED, "STREAM_BROKEN: a hole"),
        (raising(click.UsageError("wrong")), ExitCode.USAGE, "wrong"),
        (raising(ServerUnreachable("refused")), ExitCode.UNREACHABLE, "cannot be reached: refused"),
        (raising(KeyboardInterrupt()), ExitCode.INTERRUPTED, ""),
    ],
    ids=["fine", "a result", "exit", "failed", "error", "usage", "unreachable", "interrupted"],
)
def test_each_ending_has_its_exit_code(
    offer: Offer, work: Callable[[], object], code: ExitCode, told: str
) -> None:
    result = invoke(offer("work", work), arguments=["work"])
    assert result.exit_code == code
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["nothing"], ["extract"], ["extract", "--odd", "x"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == ExitCode.USAGE


def test_a_command_whose_packages_are_missing_names_the_extra(offer: Offer, tmp_path: Path) -> None:
    module = tmp_path / "needs_more.py"
    module.write_text("import onnxruntime_that_is_not_here\n")
    missing = EntryPoint("serve", "needs_more:serve", "vidence.commands")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        result = invoke(missing, arguments=["serve", "extraction", "--port", "1"])
        assert result.exit_code == ExitCode.USAGE
        assert 'pip install "vidence[server,cpu]"' in result.stderr
        listed = invoke(missing, offer("work", lambda: None), arguments=["--help"])
    assert listed.exit_code == ExitCode.FINE
    assert "not available" in listed.stdout
    assert "work" in listed.stdout


@pytest.mark.parametrize(
    ("package", "advice"),
    [
        ("onnxruntime.capi", "vidence[server,cpu]"),
        ("onnx", "vidence[models]"),
        ("structlog", "vidence[server,cpu]"),
        ("vidence_server.suite.opening", "incomplete"),
        (None, "incomplete"),
    ],
)
def test_the_advice_fits_the_missing_package(package: str | None, advice: str) -> None:
    assert advice in missing_extra(ImportError("no module", name=package))


def test_an_entry_point_that_is_no_command_breaks_nothing_else(offer: Offer) -> None:
    odd = EntryPoint("odd", "json:dumps", "vidence.commands")
    gone = EntryPoint("gone", "json:no_such_thing", "vidence.commands")
    assert invoke(odd, gone, offer("work", lambda: None), arguments=["work"]).exit_code == ExitCode.FINE
    for name in ("odd", "gone"):
        assert invoke(odd, gone, arguments=[name]).exit_code == ExitCode.USAGE


def test_the_versions_are_told() -> None:
    plain = CliRunner().invoke(main, ["version"])
    told = json.loads(CliRunner().invoke(main, ["version", "--json"]).stdout)
    assert set(told) == {"vidence", "python", "grpc", "protobuf"}
    assert all(number in plain.stdout for number in told.values())
    assert told["vidence"] in CliRunner().invoke(main, ["--version"]).stdout
