"""Tells what happens to a batch: to a person with a bar, to a program line by line."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from vidence.batch.v1 import batch_pb2
from vidence.batch.v1.batch_service_pb2 import BatchEvent
from vidence_cli.live import plain
from vidence_cli.output import write_line


class Telling(Protocol):
    """Tells events as they come."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def take(self, event: BatchEvent) -> None:
        """Tells the next event."""
        ...


class _Image(Protocol):
    """What every message about one image says."""

    @property
    def index(self) -> int: ...

    @property
    def file_name(self) -> str: ...


class JsonTelling:
    """One ProtoJSON object per event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def take(self, event: BatchEvent) -> None:
        """Writes the event."""
        write_line(event)


class PersonTelling:
    """A line per image that ended, and below them a bar with the time that is left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[dim]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("waiting …", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def take(self, event: BatchEvent) -> None:
        """Shows the event."""
        match event.WhichOneof("payload"):
            case "batch_start":
                self._bar.update(self._task, total=event.batch_start.total, completed=event.batch_start.done)
            case "progress":
                name = plain(event.progress.file_name or f"image {event.progress.index}")
                self._bar.update(
                    self._task,
                    total=event.progress.total,
                    completed=event.progress.current,
                    description=Text(name, overflow="ellipsis").plain[:40],
                )
            case "result":
                self._console.print(_read(event.result))
            case "error":
                self._console.print(_failed(event.error))
            case "filing" if event.filing.filing.HasField("error"):
                self._console.print(_filed(event.filing))
            case "complete":
                self._console.print(closing(event.complete))
            case _:
                pass


def _line(image: _Image, *, fine: bool, kind: str, more: str) -> Text:
    return Text.assemble(
        ("✓ ", "green") if fine else ("✗ ", "red"),
        plain(image.file_name or f"image {image.index}"),
        (f"  {plain(kind)}", "cyan" if fine else "red"),
        (f"  {plain(more)}", "dim"),
    )


def _read(result: batch_pb2.BatchResult) -> Text:
    count, seconds = len(result.document.fields), result.duration.ToTimedelta().total_seconds()
    more = f"{count} field{'' if count == 1 else 's'}, {seconds:.2f} s"
    return _line(result, fine=True, kind=result.document.document_type, more=more)


def _failed(error: batch_pb2.BatchError) -> Text:
    return _line(error, fine=False, kind=error.reason, more=error.error.message)


def _filed(filing: batch_pb2.BatchFiling) -> Text:
    """Why a result is not in its library."""
    kind = f"not in {filing.filing.library_id}"
    return _line(filing, fine=False, kind=kind, more=filing.filing.error.message)


def closing(complete: batch_pb2.BatchComplete) -> Text:
    """How it ended, in one line."""
    numbers = complete.statistics
    state = batch_pb2.BatchState.Name(complete.state).removeprefix("BATCH_STATE_").lower()
    seconds = complete.timing.total_duration.ToTimedelta().total_seconds()
    parts = [f"{numbers.succeeded} of {numbers.total} read"]
    parts += [f"{numbers.failed} failed"] if numbers.failed else []
    parts += [f"{numbers.cancelled} cancelled"] if numbers.cancelled else []
    parts += [f"{numbers.filed} in the library"] if numbers.filed or numbers.unfiled else []
    return Text(f"{state}: {', '.join(parts)}, {seconds:.1f} s", style="bold")
