"""How far a long piece of work is, for people: rate and time to go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """How many per second; `unit` in the plural."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Draws it."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._unit}/s", style="cyan")


class Transfer:
    """One piece of work as it is shown; tells nothing where there is no terminal."""

    def __init__(self, progress: Progress, total: float | None, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def at(self, done: float, *, total: float | None = None) -> None:
        """So much is done."""
        if total is not None:
            self._progress.update(self._task, total=total)
        self._progress.update(self._task, completed=done)


@contextmanager
def counted(
    what: str, unit: str, total: int | None = None, *, console: Console | None = None
) -> Iterator[Transfer]:
    """Counts things; `unit` in the plural.

    Args:
        what: What is done with them.
        unit: What they are.
        total: How many there are; None: not known.
        console: Where it is shown; None: stderr. Whoever prints meanwhile to the same terminal uses this one.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(unit))
    with _shown(*columns, console=console) as progress:
        yield Transfer(progress, total, what)


@contextmanager
def bytes_of(what: str, total: int | None) -> Iterator[Transfer]:
    """Counts bytes of a file, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with _shown(*columns) as progress:
        yield Transfer(progress, total, what)


@contextmanager
def _shown(*columns: ProgressColumn, console: Console | None = None) -> Iterator[Progress]:
    shown_on = console or Console(stderr=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=shown_on,
        disable=not shown_on.is_terminal,
        transient=console is not None,
    ) as progress:
        yield progress
