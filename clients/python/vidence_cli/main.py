"""The `vidence` command: finds its subcommands and turns failures into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from vidence_cli.exit_codes import ExitCode
from vidence_cli.extras import missing_extra
from vidence_client import ServerUnreachable, VidenceError


def installed_commands() -> Iterable[EntryPoint]:
    """Lists the commands that the installed distributions offer."""
    return entry_points(group="vidence.commands")


class CommandGroup(click.Group):
    """Subcommands found by entry points; each is imported when it is needed."""

    def __init__(self, *, find_commands: Callable[[], Iterable[EntryPoint]], **settings: Any) -> None:
        super().__init__(**settings)
        self._find_commands = find_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names all commands, sorted."""
        return sorted({*super().list_commands(ctx), *(found.name for found in self._find_commands())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads one command; None where there is none of this name."""
        for found in self._find_commands():
            if found.name == cmd_name:
                return _load(found)
        return super().get_command(ctx, cmd_name)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command; in standalone mode it ends the process with an `ExitCode`."""

        def run() -> Any:
            return super(CommandGroup, self).main(
                args, prog_name, complete_var, standalone_mode=False, **extra
            )

        if not standalone_mode:
            return run()
        # gRPC's own notes on connections that end would stand among our messages
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        sys.exit(_exit_code(run))


def _exit_code(run: Callable[[], Any]) -> int:
    """Runs the command and says how it ended; failures are told on stderr."""
    try:
        result = run()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except ServerUnreachable as error:
        click.echo(f"Error: the server cannot be reached: {error.message}", err=True)
        return ExitCode.UNREACHABLE
    except VidenceError as error:
        click.echo(f"Error: {error}", err=True)
        return ExitCode.FAILED
    except BrokenPipeError:
        # the reader of our output has left; what is still buffered must not raise again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return result if isinstance(result, int) else ExitCode.FINE


def _load(found: EntryPoint) -> click.Command:
    try:
        command = found.load()
    except ImportError as error:
        return _unavailable(found.name, missing_extra(error))
    except AttributeError as error:
        return _unavailable(found.name, f"this installation is incomplete: {error}")
    if not isinstance(command, click.Command):
        return _unavailable(found.name, f"{found.value} is not a command")
    return command


def _unavailable(name: str, why: str) -> click.Command:
    """Stands for a command that cannot be loaded, so that `--help` and the others still work."""

    @click.command(
        name,
        short_help=f"(not available: {why})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )
    def unavailable() -> None:
        raise click.UsageError(f"{name}: {why}")

    return unavailable


main = CommandGroup(
    name="vidence",
    help="Reads documents live, and serves those who do.",
    find_commands=installed_commands,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(package_name="vidence", prog_name="vidence")(main)
