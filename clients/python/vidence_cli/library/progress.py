"""How far a transfer is, for people: rate and time to go, on stderr."""

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
    """Documents per second."""

    def render(self, task: Task) -> Text:
        """Draws it."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} documents/s", style="cyan")


class Transfer:
    """One transfer as it is shown; tells nothing where stderr is no terminal."""

    def __init__(self, progress: Progress, total: float | None, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def at(self, done: float, *, total: float | None = None) -> None:
        """So much is done."""
        if total is not None:
            self._progress.update(self._task, total=total)
        self._progress.update(self._task, completed=done)


@contextmanager
def documents(what: str, total: int | None = None) -> Iterator[Transfer]:
    """Counts documents."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn())
    with _shown(*columns) as progress:
        yield Transfer(progress, total, what)


@contextmanager
def bytes_of(what: str, total: int | None) -> Iterator[Transfer]:
    """Counts bytes of a file."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with _shown(*columns) as progress:
        yield Transfer(progress, total, what)


@contextmanager
def _shown(*columns: ProgressColumn) -> Iterator[Progress]:
    errors = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal, transient=False
    ) as progress:
        yield progress
