"""What a command shows to a person: the reading as it grows, drawn with rich."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from google.protobuf.message import Message
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vidence.extraction.v1 import document_pb2
from vidence_cli.output import Write
from vidence_cli.reading import LINE_KEY, Reading
from vidence_client.extraction import Response

REFRESH_HZ = 10
_AROUND_ROWS = 7  # rows of the screen that header, bar, table head and closing line take
_DOUBTFUL = 0.8  # a line of text shows its confidence below this only

_VERDICTS = {
    document_pb2.VALIDATION_VERDICT_VALID: ("✓", "green"),
    document_pb2.VALIDATION_VERDICT_INVALID: ("✗", "bold red"),
}
_SOURCES = {
    document_pb2.FIELD_SOURCE_VISUAL: "visual",
    document_pb2.FIELD_SOURCE_MRZ: "mrz",
    document_pb2.FIELD_SOURCE_BARCODE: "barcode",
    document_pb2.FIELD_SOURCE_TEXT_LAYER: "PDF text",
}


class LiveReport:
    """Reports readings to a person at a terminal.

    Args:
        console: Where to draw.
        errors: Where to tell failures.
        monotonic: Seconds on a clock that never goes back.
    """

    def __init__(
        self, console: Console, errors: Console, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._errors = errors
        self._monotonic = monotonic

    @contextmanager
    def reading(self, name: str) -> Iterator[Write]:
        """Opens the view of one file; what it yields takes every message of the reading."""
        state = Reading(plain(name), self._monotonic())

        def take(message: Message) -> None:
            if isinstance(message, Response):
                state.take(message, self._monotonic())

        view = _GrowingView(state)
        with Live(view, console=self._console, refresh_per_second=REFRESH_HZ) as live:
            try:
                yield take
            finally:
                view.growing = False
                # an empty view of a file that failed would say that it is still being read
                live.transient = not (state.complete or state.fields)

    def failed(self, name: str, why: str) -> None:
        """Tells that a file could not be read."""
        self._errors.print(Text.assemble(("✗ ", "bold red"), (plain(name), "bold"), ": ", plain(why)))


class _GrowingView:
    """The view while it grows: only as many rows as the screen has, the newest; at the end all of them."""

    def __init__(self, state: Reading) -> None:
        self._state = state
        self.growing = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = max(1, console.height - _AROUND_ROWS) if self.growing else None
        yield render(self._state, newest=rows)


def render(state: Reading, *, newest: int | None = None) -> RenderableType:
    """Draws a reading.

    Args:
        state: What is known so far.
        newest: Show at most so many fields, those that came last; None: all.
    """
    fields = list(state.fields.values())[-newest if newest else None :]
    parts: list[RenderableType] = [_header(state)]
    if values := [read for read in fields if read.key != LINE_KEY]:
        parts.append(_table(values))
    parts += [_line(read) for read in fields if read.key == LINE_KEY]
    if state.complete:
        parts.append(_closing(state))
    return Group(*parts)


def plain(text: str) -> str:
    """Replaces control characters: what a picture or a server says must not steer the terminal."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _header(state: Reading) -> RenderableType:
    kind = Text("detecting the type …", style="dim")
    if state.document_type:
        kind = Text.assemble((plain(state.document_type), "cyan"), f" {state.type_confidence:.0%}")
    row: list[RenderableType] = [Text(state.name, style="bold"), kind]
    if not state.complete:
        bar = ProgressBar(total=max(1, state.total), completed=state.done, width=30)
        row += [bar, Text(f"{state.done}/{state.total}" if state.total else "", style="dim")]
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*row)
    return grid


def _table(fields: list[document_pb2.ExtractedField]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("field", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("conf", justify="right", no_wrap=True)
    table.add_column("check", overflow="fold")
    table.add_column("source", no_wrap=True)
    for read in fields:
        table.add_row(
            _name(read), _value(read), f"{read.confidence:.0%}", _verdict(read), _SOURCES.get(read.source, "")
        )
    return table


def _name(read: document_pb2.ExtractedField) -> Text:
    return Text(plain(f"{read.key}[{read.index}]" if read.index else read.key), style="cyan")


def _value(read: document_pb2.ExtractedField) -> Text:
    """The normalised value, or the characters as they stand where there is none; corrections beside it."""
    value = Text(plain(read.value)) if read.value else Text(plain(read.raw_value), style="yellow")
    for correction in read.corrections:
        change = f"  {correction.read}→{correction.corrected} at {correction.position + 1}"
        value.append(plain(change), style="yellow")
    return value


def _verdict(read: document_pb2.ExtractedField) -> Text:
    mark, style = _VERDICTS.get(read.validation.verdict, ("·", "dim"))
    verdict = Text(mark, style=style)
    if read.validation.verdict == document_pb2.VALIDATION_VERDICT_INVALID and read.validation.message:
        verdict.append(f" {plain(read.validation.message)}", style="red")
    return verdict


def _line(read: document_pb2.ExtractedField) -> Text:
    """One line of a page of text."""
    doubt = f"  {read.confidence:.0%}" if read.confidence < _DOUBTFUL else ""
    text = plain(read.value or read.raw_value)
    return Text.assemble((f"{read.index:>4}  ", "dim"), text, (doubt, "yellow"), overflow="fold")


def _closing(state: Reading) -> Text:
    count = f"{len(state.fields)} field{'' if len(state.fields) == 1 else 's'} in {state.total_s or 0:.2f} s"
    first = "" if state.first_field_s is None else f", the first after {state.first_field_s:.2f} s"
    return Text(count + first, style="dim")
